"""SQL that finds out what is in a database and what was done to it; pure builders."""

# ruff: noqa: S608 - every value in a statement goes through quote_text
from collections.abc import Iterable

from orchestrator.adapters.postgres.sql import foreign_sessions, quote_name, quote_text

# A query of its own, planned only by who may read the rules: a role that may not would have the whole answer refused.
_ADMITTING = """$$SELECT FROM pg_hba_file_rules WHERE type LIKE 'host%%' AND address IN ('all', 'samenet', '0.0.0.0')
      AND 'all' = ANY (user_name) AND database && ARRAY['all', %L] AND auth_method <> 'reject'$$"""


def build_load(name: str) -> str:
    """One JSON object in the shape of `DatabaseLoad`."""
    database = quote_text(name)
    return f"""SELECT json_build_object(
  'prepared', (SELECT coalesce(json_agg(gid ORDER BY prepared), '[]')
    FROM pg_prepared_xacts WHERE database = {database}),
  'slots', (SELECT coalesce(json_agg(slot_name ORDER BY 1), '[]')
    FROM pg_replication_slots WHERE database = {database}),
  'subscriptions', (SELECT coalesce(pg_catalog.json_agg(s.subname ORDER BY s.subname), '[]')
    FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
    WHERE d.datname = {database}),
  'oldest_s', coalesce((SELECT max(extract(epoch FROM now() - xact_start))
    FROM pg_stat_activity WHERE {foreign_sessions(name)}), 0),
  'oldest', (SELECT json_build_object('pid', pid, 'user', coalesce(usename, ''),
    'application', coalesce(application_name, ''), 'address', coalesce(host(client_addr), ''))
    FROM pg_stat_activity WHERE {foreign_sessions(name)} AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 1),
  'admits_any', CASE WHEN has_table_privilege('pg_hba_file_rules', 'SELECT')
      AND has_function_privilege('pg_hba_file_rules()', 'EXECUTE')
    THEN query_to_xml(format({_ADMITTING}, {database}), false, false, '')::text LIKE '%<row%' ELSE false END,
  'free_connections', current_setting('max_connections')::int
    - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'));"""


def build_inventory() -> str:
    """One JSON object in the shape of `Inventory`, about the database that is asked."""
    members = (
        "(SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
    )
    return f"""SELECT json_build_object(
  'relations', (SELECT coalesce(json_object_agg(n.nspname || '.' || c.relname,
      c.relkind::text || ' ' || pg_get_userbyid(c.relowner)), '{{}}')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' AND NOT EXISTS ({members})
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'),
  'sequences', (SELECT coalesce(json_object_agg(schemaname || '.' || sequencename, json_build_object(
      'owner', sequenceowner, 'last_value', last_value, 'increment', increment_by, 'cycles', cycle)), '{{}}')
    FROM pg_sequences),
  'extensions', (SELECT coalesce(json_object_agg(extname, extversion), '{{}}') FROM pg_extension),
  'large_objects', (SELECT count(*) FROM pg_largeobject_metadata));"""


def build_longest_lock(name: str) -> str:
    """Age in seconds of the oldest transaction that keeps others from writing to a table of the database now.

    Asked inside of it. A table that the transaction has made itself is not seen from outside, and keeps nobody.
    """
    return f"""SELECT coalesce(max(extract(epoch FROM clock_timestamp() - a.xact_start)), 0)
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.granted AND l.locktype = 'relation' AND c.relkind IN ('r', 'p')
  AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  AND a.datname = {quote_text(name)} AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';"""


def build_tables() -> str:
    """A JSON list [schema, table, column, condition] a line: each table that pg_dump dumps data of.

    Tables that belong to an extension are dumped only where the extension asks for it, and as far as it does:
    ``condition`` says how far. ``column`` is the one that is read fastest.
    """
    return """SELECT json_build_array(n.nspname, c.relname, (SELECT a.attname FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    ORDER BY a.attlen < 0, a.attlen, a.attnum LIMIT 1),
  CASE WHEN o.rolsuper THEN nullif(e.extcondition[array_position(e.extconfig, c.oid)], '') END)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles o ON o.oid = c.relowner
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
  AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
LEFT JOIN pg_extension e ON e.oid = d.refobjid
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (e.oid IS NULL OR c.oid = ANY (e.extconfig))
ORDER BY n.nspname, c.relname;"""


def build_rows(tables: Iterable[tuple[str, str, str | None, str | None]]) -> str:
    """Number of rows of each of these tables, one a line, all as of one moment.

    Not by a query, where it can be avoided: to plan one, the server works out what the functions of a table's indexes
    and statistics yield, and would do so as the superuser. COPY of a table plans nothing, and tells how many rows it
    has thrown away.
    """
    counting = ["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"]
    for schema, table, column, condition in tables:
        name = f"{quote_name(schema)}.{quote_name(table)}"
        if condition:
            counting.append(f"SELECT count(*) FROM ONLY {name} {condition};")
            continue
        counting += [f"COPY {name}{f' ({quote_name(column)})' if column else ''} TO '/dev/null';", "\\echo :ROW_COUNT"]
    return "\n".join((*counting, "COMMIT;"))
