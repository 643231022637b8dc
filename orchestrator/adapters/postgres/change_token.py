"""SQL that tells a moment of a database and of its server, for `postgres_proof`; pure builders.

Evidence is what the server cannot leave out: positions in its log, and ``xmin``, the number of the transaction that
made a version of a catalog's entry. What its settings can switch off, the statistics, is only told.
"""

# ruff: noqa: S608 - every value in a statement goes through quote_text
from orchestrator.adapters.postgres.sql import SERVER_BEGAN, foreign_sessions, quote_name, quote_text

_FIRST_USER_OID = 16384
_CATALOGS = (
    "pg_class",
    "pg_attrdef",
    "pg_constraint",
    "pg_default_acl",
    "pg_enum",
    "pg_event_trigger",
    "pg_extension",
    "pg_largeobject_metadata",
    "pg_namespace",
    "pg_policy",
    "pg_proc",
    "pg_publication",
    "pg_rewrite",
    "pg_trigger",
    "pg_type",
)
UNKNOWN = "unknown at "
"""Stands in ``unlogged`` for what could not be read; no two answers with it are equal."""

_UNLOGGED_LIMIT_BYTES = 8 * 1024**2
_V15 = 150000
_NOTHING = "'{}'::json"


def build_capability() -> str:
    """Version number of the server, and whether we see all of it."""
    return """SELECT pg_catalog.json_build_object('version', pg_catalog.current_setting('server_version_num')::int,
  'superuser', (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER));"""


def build_directories() -> str:
    """Where the server's own programs and its log lie."""
    return """SELECT pg_catalog.json_build_object('log', pg_catalog.current_setting('data_directory') || '/pg_wal',
  'programs', (SELECT setting FROM pg_catalog.pg_config() WHERE name = 'BINDIR'));"""


def build_moment(name: str, *, version: int, superuser: bool, whole: bool = True) -> str:
    """One JSON object in the shape of `postgres_proof.Moment`, about a database that is asked from outside.

    What lies outside of it costs half of the time, and is left out where it is not ``whole``.
    """
    named = quote_text(name)
    return f"""SELECT pg_catalog.json_build_object(
  'server_began', {SERVER_BEGAN},
  'database', (SELECT oid::text FROM pg_catalog.pg_database WHERE datname = {named}),
  'closed', coalesce((SELECT oid::text || '.' || xmin FROM pg_catalog.pg_database
    WHERE datname = {named} AND NOT datallowconn), ''),
  'sessions', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE {foreign_sessions(name)}),
  'prepared', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_xacts WHERE database = {named}),
  'position', pg_catalog.pg_current_wal_insert_lsn()::text,
  'flushed', pg_catalog.pg_current_wal_flush_lsn()::text,
  'timeline', pg_catalog."left"(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8),
  'server', {_build_server(version, superuser=superuser) if whole else _NOTHING},
  'databases', {_build_databases(named) if whole else _NOTHING},
  'oids', (SELECT pg_catalog.json_object_agg(oid, datname) FROM pg_catalog.pg_database));"""


def build_closing(name: str, application: str) -> str:
    """Closes a database, with all that was logged before safely in the log, and ends who is connected to it.

    One number: how many there were beside those of ``application``.
    """
    return f"""BEGIN;
SET LOCAL synchronous_commit TO local;
ALTER DATABASE {quote_name(name)} ALLOW_CONNECTIONS false;
COMMIT;
WITH told AS MATERIALIZED (SELECT application_name, pg_catalog.pg_terminate_backend(pid)
  FROM pg_catalog.pg_stat_activity WHERE {foreign_sessions(name)})
SELECT pg_catalog.count(*) FILTER (WHERE application_name <> {quote_text(application)}) FROM told;"""


def build_contents() -> str:
    """One JSON object: what of a `ChangeToken` can be asked only inside of the database.

    Every statement that changes the catalog leaves a new version of some entry; TRUNCATE too.
    """
    named = [
        f"SELECT '{name}' || oid || '.' || xmin FROM pg_catalog.{name} WHERE oid >= {_FIRST_USER_OID}"
        for name in _CATALOGS
    ]
    columns = f"""SELECT attrelid || '.' || attnum || '.' || xmin FROM pg_catalog.pg_attribute
    WHERE attrelid >= {_FIRST_USER_OID}"""
    # A sequence moves without a new version of anything, and most of its steps are not logged.
    sequences = f"""SELECT 'sequence' || seqrelid || '.' || coalesce(pg_catalog.pg_sequence_last_value(seqrelid), -1)
    FROM pg_catalog.pg_sequence WHERE seqrelid >= {_FIRST_USER_OID}"""
    versions = " UNION ALL ".join((*named, columns, sequences))
    return f"""SELECT pg_catalog.json_build_object(
  'catalog', (SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(coalesce(
      pg_catalog.string_agg(version, ',' ORDER BY version), ''), 'UTF8')), 'hex')
    FROM ({versions}) versions (version)),
  'unlogged', {_build_unlogged()},
  'written', (SELECT coalesce(pg_catalog.sum(n_tup_ins + n_tup_upd + n_tup_del), 0)
    FROM pg_catalog.pg_stat_all_tables WHERE schemaname !~ '^pg_' OR relname LIKE 'pg_largeobject%'),
  'transactions', (SELECT xact_commit FROM pg_catalog.pg_stat_database WHERE datname = pg_catalog.current_database()),
  'counted_since', CASE WHEN pg_catalog.current_setting('track_counts')::bool AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_db_role_setting, pg_catalog.unnest(setconfig) entry WHERE entry LIKE 'track_counts=%')
    THEN (SELECT coalesce(stats_reset::text, 'the beginning') FROM pg_catalog.pg_stat_database
      WHERE datname = pg_catalog.current_database()) ELSE '' END);"""


def _build_server(version: int, *, superuser: bool) -> str:
    """What belongs to the whole server; no password is read, only which version of its entry there is."""
    roles = "pg_catalog.pg_roles"
    told = [
        f"""SELECT 'membership of ' || m.rolname || ' in ' || g.rolname, a.xmin::text FROM pg_catalog.pg_auth_members a
      JOIN {roles} m ON m.oid = a.member JOIN {roles} g ON g.oid = a.roleid""",
        f"""SELECT 'settings of ' || coalesce('role ' || r.rolname, 'every role'), s.xmin::text
      FROM pg_catalog.pg_db_role_setting s LEFT JOIN {roles} r ON r.oid = s.setrole WHERE s.setdatabase = 0""",
        "SELECT 'tablespace ' || spcname, oid::text || '.' || xmin FROM pg_catalog.pg_tablespace",
        """SELECT 'comments on roles, databases and tablespaces', objoid::text || '.' || classoid || '.' || xmin
      FROM pg_catalog.pg_shdescription""",
        "SELECT 'security labels of the server', objoid::text || '.' || provider || '.' || xmin"
        " FROM pg_catalog.pg_shseclabel",
        # those of subscriptions are named as such
        "SELECT 'replication origin ' || roname, xmin::text FROM pg_catalog.pg_replication_origin"
        " WHERE NOT pg_catalog.starts_with(roname, 'pg_')",
        "SELECT 'replication slot ' || slot_name, concat_ws('.', plugin, slot_type, datoid)"
        " FROM pg_catalog.pg_replication_slots",
    ]
    if superuser:
        told += [
            "SELECT 'role ' || rolname, oid::text || '.' || xmin FROM pg_catalog.pg_authid",
            "SELECT 'subscription ' || subname, oid::text || '.' || xmin FROM pg_catalog.pg_subscription",
            """SELECT 'settings of the server', concat_ws(' ', sourcefile, name, setting, error)
      FROM pg_catalog.pg_file_settings""",
            *(_build_file(setting) for setting in ("hba_file", "ident_file")),
        ]
        if version >= _V15:
            told.append("SELECT 'grants on the setting ' || parname, xmin::text FROM pg_catalog.pg_parameter_acl")
    return f"""(SELECT coalesce(pg_catalog.json_object_agg(item, version), '{{}}')
    FROM (SELECT item, pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
        pg_catalog.string_agg(version, ',' ORDER BY version), 'UTF8')), 'hex')
      FROM ({" UNION ALL ".join(told)}) told (item, version) GROUP BY item) hashed (item, version))"""


def _build_file(setting: str) -> str:
    path = f"pg_catalog.current_setting('{setting}')"
    return f"""SELECT pg_catalog.regexp_replace({path}, '^.*/', ''),
      coalesce(pg_catalog.encode(pg_catalog.pg_read_binary_file({path}, 0, 1048576, true), 'hex'), '')
      WHERE {path} <> ''"""


def _build_databases(named: str) -> str:
    """All other databases of the server, each with its settings."""
    return f"""(SELECT coalesce(pg_catalog.json_object_agg(datname, oid::text || '.' || xmin || coalesce((
        SELECT ', ' || pg_catalog.string_agg(setrole::text || '.' || s.xmin, ',' ORDER BY setrole)
        FROM pg_catalog.pg_db_role_setting s WHERE setdatabase = d.oid), '')), '{{}}')
    FROM pg_catalog.pg_database d WHERE datname <> {named})"""


def _build_unlogged() -> str:
    """What the log leaves out; where that is too much to be read, or kept another way, no two answers are equal.

    Nor are they where a function of the database would run, as superuser, while the server plans to read a table.
    """
    planned = """EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid
          AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL))
        OR EXISTS (SELECT FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = c.oid)"""
    rows = "'SELECT pg_catalog.string_agg(ctid::text || xmin || '' '' || xmax, '','' ORDER BY ctid) FROM ONLY %s'"
    state = "'SELECT last_value, log_cnt, is_called FROM %s'"
    return f"""(SELECT coalesce(pg_catalog.string_agg(c.oid::text || ' ' || CASE
      WHEN c.relkind <> 'S' AND c.relpersistence <> 'u' OR pg_catalog.pg_relation_size(c.oid) > {_UNLOGGED_LIMIT_BYTES}
        OR {planned}
        THEN '{UNKNOWN}' || pg_catalog.clock_timestamp()
      ELSE pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.query_to_xml(pg_catalog.format(
        CASE WHEN c.relkind = 'S' THEN {state} ELSE {rows} END, c.oid::pg_catalog.regclass), false, false, '')::text,
        'UTF8')), 'hex') END, ', ' ORDER BY c.oid), '')
    FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
    WHERE c.relkind IN ('r', 'm', 'S') AND (c.relpersistence = 'u' OR a.amtype = 't' AND a.amname <> 'heap'))"""
