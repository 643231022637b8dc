"""SQL that finds out, before anything is touched, what an upgrade would meet on the server; pure builders."""

# ruff: noqa: S608 - every value in a statement goes through quote_text
from orchestrator.adapters.postgres.sql import quote_text

_V15 = 150000
_LIMITS = (
    "'default_transaction_read_only', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout',"
    " 'idle_session_timeout', 'transaction_timeout'"
)


def build_connections() -> str:
    """One JSON list in the shape of `Session`: everybody but ourselves, on whatever database.

    What makes way by itself (autovacuum) or with its leader (a parallel worker) is left out.
    """
    return """SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
  'pid', pid, 'user', coalesce(usename::text, ''), 'application', coalesce(application_name, ''),
  'address', coalesce(pg_catalog.host(client_addr), ''), 'active', coalesce(state <> 'idle', false),
  'database', datname::text, 'process', CASE WHEN backend_type = 'client backend' THEN '' ELSE backend_type END,
  'age_s', greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - backend_start))) ORDER BY pid), '[]')
FROM pg_catalog.pg_stat_activity
WHERE datname IS NOT NULL AND pid <> pg_catalog.pg_backend_pid()
  AND backend_type NOT IN ('autovacuum worker', 'parallel worker')
  AND application_name NOT LIKE 'upgrade-orchestrator-%';"""


def build_standing(name: str, version: int) -> str:
    """One JSON object in the shape of `Standing`, or nothing where there is no such database."""
    versions = (
        "'collation', datcollversion, 'installed_collation', pg_catalog.pg_database_collation_actual_version(oid),"
        if version >= _V15
        else ""
    )
    return f"""SELECT pg_catalog.json_build_object({versions}
  'standby', pg_catalog.pg_is_in_recovery(), 'template', datistemplate, 'admits', datallowconn,
  'whole', datconnlimit <> -2,
  'superuser', (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),
  'rights', (SELECT rolsuper OR (rolcreatedb AND pg_catalog.pg_has_role(current_user, datdba, 'MEMBER')
      AND pg_catalog.pg_has_role(current_user, 'pg_signal_backend', 'MEMBER'))
    FROM pg_catalog.pg_roles WHERE rolname = current_user), 'role', current_user,
  'subscriptions', (SELECT coalesce(pg_catalog.json_agg(subname ORDER BY subname), '[]')
    FROM pg_catalog.pg_subscription WHERE subdbid = d.oid),
  'settings', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'role', CASE WHEN setrole <> 0 THEN pg_catalog.pg_get_userbyid(setrole) ELSE '' END, 'text', entry)), '[]')
    FROM pg_catalog.pg_db_role_setting, pg_catalog.unnest(setconfig) entry
    WHERE setdatabase IN (0, d.oid) AND pg_catalog.split_part(entry, '=', 1) IN ({_LIMITS})))
FROM pg_catalog.pg_database d WHERE datname = {quote_text(name)};"""


def build_contents() -> str:
    """One JSON object in the shape of `Contents`, about the database that is asked, by a superuser."""
    return f"""SELECT pg_catalog.json_build_object(
  'collations', (SELECT coalesce(pg_catalog.json_agg(collname ORDER BY collname), '[]')
    FROM pg_catalog.pg_collation c WHERE collversion IS NOT NULL
      AND EXISTS (SELECT FROM pg_catalog.pg_depend WHERE refclassid = 'pg_catalog.pg_collation'::regclass
        AND refobjid = c.oid AND classid <> 'pg_catalog.pg_collation'::regclass)
      AND collversion <> pg_catalog.pg_collation_actual_version(c.oid)),
  'tablespaces', (SELECT coalesce(pg_catalog.json_agg(spcname ORDER BY spcname), '[]')
    FROM pg_catalog.pg_tablespace t WHERE spcname NOT IN ('pg_default', 'pg_global')
      AND (EXISTS (SELECT FROM pg_catalog.pg_class WHERE reltablespace = t.oid)
        OR EXISTS (SELECT FROM pg_catalog.pg_database
          WHERE dattablespace = t.oid AND datname = pg_catalog.current_database()))),
  'settings', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'role', '', 'text', name || '=' || setting)), '[]')
    FROM pg_catalog.pg_file_settings WHERE applied AND name IN ({_LIMITS})));"""
