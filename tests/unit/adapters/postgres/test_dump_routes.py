"""Which statement of a dump the superuser runs, and that it is never one that runs what the database holds."""

import pytest

from orchestrator.adapters.postgres.dump_routes import (
    Route,
    choose_route,
    find_extension,
    find_new_owner,
    is_for_superuser,
    replace_owner,
)

ROUTES = {
    "CREATE TABLE public.t (\n    a integer\n);\n": Route.OWNER,
    "COPY public.t (a) FROM stdin;\n": Route.OWNER,
    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT c CHECK (public.f(a));\n": Route.OWNER,
    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES public.u(a);\n": Route.OWNER,
    "CREATE INDEX i ON public.t USING btree (public.f(a));\n": Route.OWNER,
    "CREATE AGGREGATE public.a(integer) (\n    SFUNC = f,\n    INITCOND = '0'\n);\n": Route.OWNER,
    "SELECT pg_catalog.setval('public.s', 1, true);\n": Route.OWNER,
    "SELECT public.evil();\n": Route.OWNER,
    "DO $$ BEGIN END $$;\n": Route.OWNER,
    "INSERT INTO public.t VALUES (1);\n": Route.OWNER,
    "CREATE TABLE public.t AS SELECT public.evil();\n": Route.OWNER,
    "CREATE FUNCTION public.f() RETURNS int\n    LANGUAGE plpgsql\n    AS $$ LANGUAGE c $$;\n": Route.OWNER,
    "CREATE FUNCTION public.f() RETURNS boolean\n    LANGUAGE sql LEAKPROOF\n    AS $$SELECT true$$;\n": Route.SERVER,
    "CREATE FUNCTION public.f() RETURNS integer\n    LANGUAGE c\n    AS 'x', 'y';\n": Route.SERVER,
    "CREATE TYPE public.e AS ENUM (\n    'a'\n);\n": Route.OWNER,
    "CREATE TYPE public.b (\n    INTERNALLENGTH = 4,\n    INPUT = public.b_in\n);\n": Route.SERVER,
    "CREATE TYPE public.b;\n": Route.SERVER,
    "CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;\n": Route.SERVER,
    "CREATE SCHEMA s;\n": Route.SERVER,
    "ALTER TABLE ONLY public.p ATTACH PARTITION public.q FOR VALUES IN ('a');\n": Route.ATTACH,
    "ALTER TABLE public.t OWNER TO app;\n": Route.REOWNING,
    "GRANT SELECT ON TABLE public.t TO app;\n": Route.RIGHTS,
    "SET SESSION AUTHORIZATION app;\n": Route.RIGHTS,
    "ALTER SCHEMA public OWNER TO app;\n": Route.LATER,
    "COMMENT ON EXTENSION citext IS 'x';\n": Route.LATER,
    "COMMENT ON TABLE public.t IS 'x';\n": Route.OWNER,
    "CREATE EVENT TRIGGER e ON ddl_command_end\n   EXECUTE FUNCTION public.f();\n": Route.LAST,
    "REFRESH MATERIALIZED VIEW public.m;\n": Route.REFRESH,
    "SET default_tablespace = '';\n": Route.SETTING,
    "BEGIN;\n": Route.NOTHING,
}


@pytest.mark.parametrize(("statement", "route"), ROUTES.items(), ids=list(ROUTES))
def test_a_statement_is_run_by_the_stand_in_of_its_owner_unless_it_is_known_by_name(
    statement: str, route: Route
) -> None:
    assert choose_route(statement.encode()) is route


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("GRANT SELECT ON TABLE public.t TO app;\n", (True, True)),
        ("GRANT postgres TO app;\n", (False, False)),
        ('GRANT "a ON TABLE b" TO app;\n', (False, False)),
        ("GRANT pg_read_server_files TO app;\n", (False, False)),
        ("GRANT ALL ON FUNCTION pg_catalog.pg_read_file(text) TO app;\n", (True, False)),
        ("GRANT ALL ON DATABASE other TO app;\n", (False, False)),
        ("GRANT SET ON PARAMETER log_statement TO app;\n", (False, False)),
        ("GRANT ALL ON TABLE public.t TO app; ALTER ROLE app SUPERUSER;\n", (False, False)),
        ("CREATE SCHEMA s; ALTER ROLE app SUPERUSER;\n", (False, False)),
        ("CREATE SCHEMA s;\n", (True, True)),
        ("CREATE CAST (public.e AS text) WITH FUNCTION public.f(public.e);\n", (True, True)),
        ("CREATE CAST (public.e AS bytea) WITHOUT FUNCTION;\n", (True, False)),
        ("CREATE FUNCTION public.f() RETURNS integer\n    LANGUAGE c\n    AS 'x', 'y';\n", (True, False)),
        ("CREATE EXTENSION IF NOT EXISTS dblink WITH SCHEMA public;\n", (True, False)),
        ("CREATE EVENT TRIGGER e ON login EXECUTE FUNCTION public.f();\n", (True, False)),
        ("CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p;\n", (True, False)),
        ("CREATE FOREIGN DATA WRAPPER w VALIDATOR public.f;\n", (True, False)),
    ],
)
def test_what_only_a_superuser_can_make_comes_from_our_own_dumps_alone(
    statement: str, allowed: tuple[bool, bool]
) -> None:
    text = statement.encode()
    route = choose_route(text)
    assert tuple(is_for_superuser(text, route, proven=proven) for proven in (True, False)) == allowed


@pytest.mark.parametrize(
    ("statement", "owner"),
    [
        ("ALTER TABLE public.t OWNER TO app;\n", "app"),
        ('ALTER FUNCTION public."x OWNER TO y"(text) OWNER TO "o\'Br""ien";\n', "o'Br\"ien"),
        ("ALTER TABLE ONLY public.t ALTER COLUMN a SET DEFAULT ' OWNER TO app';\n", None),
        ('ALTER TABLE public.t CLUSTER ON "x OWNER TO app";\n', None),
        ("ALTER TABLE public.t OWNER TO app; ALTER ROLE app SUPERUSER;\n", None),
    ],
)
def test_an_owner_is_read_only_where_a_statement_gives_one(statement: str, owner: str | None) -> None:
    assert find_new_owner(statement.encode()) == owner


def test_another_owner_takes_the_place_of_the_last_word_alone() -> None:
    text = b'ALTER TABLE public."a OWNER TO b" OWNER TO app;\n'
    assert replace_owner(text, '"x"') == b'ALTER TABLE public."a OWNER TO b" OWNER TO "x";\n'


def test_an_extension_is_named_only_where_nothing_else_is_done() -> None:
    assert find_extension(b'CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;\n') == "uuid-ossp"
    assert find_extension(b"CREATE EXTENSION citext; ALTER ROLE app SUPERUSER;\n") is None
