"""SQL as text: pure builders, so that every statement can be read and tested without a server."""

# ruff: noqa: S608 - every value in a statement goes through quote_name or quote_text
import re
from collections.abc import Iterable

from orchestrator.adapters.postgres.model import DatabaseProperties, Grant, PgSetting
from orchestrator.core.errors import DatabaseError

MAX_NAME_BYTES = 63  # longer names are cut by the server without an error, and then name something else

_V15, _V16, _V17 = 150000, 160000, 170000
_LIST_ITEM = re.compile(r'"((?:[^"]|"")*)"|([^,\s"]+)')
# Settings whose stored value is a list that is quoted already (GUC_LIST_QUOTE in the server's sources).
_QUOTED_LISTS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)


def quote_name(name: str) -> str:
    """A name as an SQL identifier.

    Raises:
        DatabaseError: ``database.name``: empty, longer than 63 bytes or with a NUL, as no name can be.
    """
    if not 0 < len(name.encode()) <= MAX_NAME_BYTES or "\0" in name:
        raise _impossible(name)
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """A string literal that means the same whatever ``standard_conforming_strings`` is.

    Raises:
        DatabaseError: ``database.name``: it holds a NUL.
    """
    if "\0" in text:
        raise _impossible(text)
    quoted = "'" + text.replace("'", "''") + "'"
    return " E" + quoted.replace("\\", "\\\\") if "\\" in text else quoted


def quote_connection(name: str) -> str:
    """Connection string that names just a database, whatever is in the name."""
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"


#: When the server was started, as a mark and the facts have it alike. A crash of the server's processes does not begin
#: the server anew, but its checkpointer.
SERVER_BEGAN = """pg_catalog.pg_postmaster_start_time()::text || ', checkpointer '
    || coalesce((SELECT backend_start::text FROM pg_catalog.pg_stat_activity
    WHERE backend_type = 'checkpointer'), '')"""


def build_exists(name: str) -> str:
    """``t`` or ``f``."""
    return f"SELECT EXISTS (SELECT FROM pg_database WHERE datname = {quote_text(name)});"


def build_facts(name: str) -> str:
    """One JSON object about the database and its server."""
    return f"""SELECT json_build_object(
  'owner', pg_get_userbyid(datdba), 'server_version', current_setting('server_version'),
  'system_identifier', (SELECT system_identifier::text FROM pg_control_system()),
  'size_bytes', pg_database_size(oid), 'directory', current_setting('data_directory'),
  'server_began', {SERVER_BEGAN})
FROM pg_database WHERE datname = {quote_text(name)};"""


def build_system_identifier() -> str:
    """The server's own identifier as text."""
    return "SELECT system_identifier::text FROM pg_control_system();"


def build_sizes() -> str:
    """One JSON object: database → bytes."""
    return "SELECT json_object_agg(datname, pg_database_size(oid)) FROM pg_database;"


def build_sessions(name: str) -> str:
    """One JSON list of everybody who keeps the database from being copied or renamed, but ourselves."""
    return f"""SELECT coalesce(json_agg(json_build_object('pid', pid, 'user', coalesce(usename, ''),
  'application', coalesce(application_name, ''), 'address', coalesce(host(client_addr), ''),
  'active', coalesce(state <> 'idle', false)) ORDER BY pid), '[]')
FROM pg_stat_activity WHERE {foreign_sessions(name)};"""


def build_terminate(*names: str) -> str:
    """Ends those sessions; one number: how many there were."""
    condition = " OR ".join(f"({foreign_sessions(name)})" for name in names)
    return f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {condition};"


def build_terminate_others(name: str, application: str) -> str:
    """Ends the sessions on the database; one number: how many there were beside those of ``application``."""
    return f"""WITH told AS MATERIALIZED (SELECT application_name, pg_terminate_backend(pid)
  FROM pg_stat_activity WHERE {foreign_sessions(name)})
SELECT count(*) FILTER (WHERE application_name <> {quote_text(application)}) FROM told;"""


def build_terminate_pids(name: str, pids: Iterable[int]) -> str:
    """Ends those of these sessions that are on the database; one number: how many there were."""
    listed = ", ".join(str(int(pid)) for pid in pids) or "NULL"
    return f"""SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE {foreign_sessions(name)} AND pid IN ({listed});"""


def build_terminate_application(application: str) -> str:
    """Ends the sessions of one of our own programs."""
    return f"""SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = {quote_text(application)} AND pid <> pg_backend_pid();"""


def build_terminate_applications(prefix: str, *, but: str) -> str:
    """Ends the sessions of all our programs but one's; one number: how many there were."""
    return f"""SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE starts_with(application_name, {quote_text(prefix + "-")}) AND application_name <> {quote_text(but)};"""


def build_properties(name: str, version: int) -> str:
    """One JSON object in the shape of `DatabaseProperties`; ``version`` is ``server_version_num``."""
    provider = "'provider', datlocprovider," if version >= _V15 else ""
    locale = "'locale', datlocale," if version >= _V17 else "'locale', daticulocale," if version >= _V15 else ""
    rules = "'icu_rules', daticurules," if version >= _V16 else ""
    return f"""SELECT json_build_object('version', {version}, 'owner', pg_get_userbyid(datdba),
  'encoding', pg_encoding_to_char(encoding), 'collate', datcollate, 'ctype', datctype, {provider} {locale} {rules}
  'tablespace', (SELECT spcname FROM pg_tablespace t WHERE t.oid = dattablespace),
  'connection_limit', datconnlimit, 'comment', pg_catalog.shobj_description(d.oid, 'pg_database'),
  'grants', CASE WHEN datacl IS NULL THEN NULL ELSE (SELECT coalesce(json_agg(json_build_object(
    'role', CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) END,
    'privilege', privilege_type, 'grantable', is_grantable)), '[]') FROM aclexplode(datacl)) END,
  'settings', (SELECT coalesce(json_agg(json_build_object(
    'role', CASE WHEN setrole <> 0 THEN pg_get_userbyid(setrole) END, 'text', entry)), '[]')
    FROM pg_db_role_setting, unnest(setconfig) entry WHERE setdatabase = d.oid))
FROM pg_database d WHERE datname = {quote_text(name)};"""


def build_copy(source: str, name: str, properties: DatabaseProperties) -> str:
    """Copies a database file by file, without writing it to the log a second time."""
    strategy = " STRATEGY FILE_COPY" if properties.version >= _V15 else ""
    return (
        f"CREATE DATABASE {quote_name(name)} TEMPLATE {quote_name(source)}{strategy}"
        f" OWNER {quote_name(properties.owner)} TABLESPACE {quote_name(properties.tablespace)} ALLOW_CONNECTIONS false;"
    )


def build_empty(name: str, properties: DatabaseProperties) -> str:
    """Creates an empty database that holds and sorts text as the other one does."""
    words = [
        f"CREATE DATABASE {quote_name(name)} TEMPLATE template0 OWNER {quote_name(properties.owner)}",
        f"ENCODING {quote_text(properties.encoding)} TABLESPACE {quote_name(properties.tablespace)}",
        f"LC_COLLATE {quote_text(properties.collate)} LC_CTYPE {quote_text(properties.ctype)}",
    ]
    if properties.provider == "i":
        words.append(f"LOCALE_PROVIDER icu ICU_LOCALE {quote_text(properties.locale or '')}")
        if properties.icu_rules:
            words.append(f"ICU_RULES {quote_text(properties.icu_rules)}")
    elif properties.provider == "b":
        words.append(f"LOCALE_PROVIDER builtin BUILTIN_LOCALE {quote_text(properties.locale or '')}")
    return " ".join(words) + ";"


def build_equipment(name: str, properties: DatabaseProperties) -> str:
    """Gives a new database the grants, settings and connection limit; one statement a line.

    Every grant is the owner's then, also one that a role with grant option had passed on.
    """
    database = quote_name(name)
    lines = [f"ALTER DATABASE {database} CONNECTION LIMIT {properties.connection_limit};"]
    if properties.grants is not None:
        lines.append(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC, {quote_name(properties.owner)};")
        lines += [_grant(database, grant) for grant in properties.grants]
    lines += [_setting(database, setting) for setting in properties.settings]
    if properties.comment is not None:
        lines.append(f"COMMENT ON DATABASE {database} IS {quote_text(properties.comment)};")
    return "\n".join(lines)


def build_swap(live: str, replacement: str, aside: str) -> str:
    """Ends what is connected to either, then two renames that happen both or not at all.

    What is set aside can be looked into: nobody knows its name but who was told.
    """
    return "\n".join(
        (
            build_terminate(live, replacement),
            "BEGIN;",
            f"ALTER DATABASE {quote_name(live)} RENAME TO {quote_name(aside)};",
            f"ALTER DATABASE {quote_name(replacement)} RENAME TO {quote_name(live)};",
            build_fence(aside, closed=False),
            "COMMIT;",
        )
    )


def build_fence(name: str, *, closed: bool) -> str:
    """Binds superusers too, as a connection limit does not; open sessions stay."""
    return f"ALTER DATABASE {quote_name(name)} ALLOW_CONNECTIONS {'false' if closed else 'true'};"


def build_fenced(name: str) -> str:
    """``t``, ``f``, or nothing where there is no such database."""
    return f"SELECT NOT datallowconn FROM pg_database WHERE datname = {quote_text(name)};"


def build_drop(name: str) -> str:
    """Drops a database that nobody is connected to, if there is one."""
    return f"DROP DATABASE IF EXISTS {quote_name(name)};"


def foreign_sessions(name: str) -> str:
    """Condition on ``pg_stat_activity``: on this database, and neither ours nor about to make way by itself."""
    return f"datname = {quote_text(name)} AND pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'"


def _impossible(text: str) -> DatabaseError:
    return DatabaseError(
        "database.name",
        f"{text!r} cannot be a name in PostgreSQL: it must have 1 to {MAX_NAME_BYTES} bytes and no NUL.",
        impact="Nothing was changed.",
    )


def _grant(database: str, grant: Grant) -> str:
    role = "PUBLIC" if grant.role is None else quote_name(grant.role)
    option = " WITH GRANT OPTION" if grant.grantable else ""
    return f"GRANT {grant.privilege} ON DATABASE {database} TO {role}{option};"


def _setting(database: str, setting: PgSetting) -> str:
    name, _, value = setting.text.partition("=")
    subject = f"DATABASE {database}"
    if setting.role is not None:
        subject = f"ROLE {quote_name(setting.role)} IN {subject}"
    values = _split(value) if name in _QUOTED_LISTS else (value,)
    quoted = ", ".join(quote_text(item) for item in values) or "''"
    return f"ALTER {subject} SET {_setting_name(name)} TO {quoted};"


# Extensions' settings are two names with a dot between.
def _setting_name(name: str) -> str:
    return ".".join(quote_name(part) for part in name.split("."))


def _split(value: str) -> Iterable[str]:
    for found in _LIST_ITEM.finditer(value):
        quoted, plain = found.groups()
        yield plain if quoted is None else quoted.replace('""', '"')
