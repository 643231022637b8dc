"""Ways to write to a database or beside it, to hide that, and what looks like a write and is none."""

from dataclasses import dataclass
from typing import Literal

CONTENTS = """
CREATE TABLE entries (id int PRIMARY KEY, note text);
INSERT INTO entries SELECT n, 'note' FROM generate_series(1, 100) n;
CREATE UNLOGGED TABLE scratch AS SELECT 1 AS a;
CREATE SEQUENCE numbers;
SELECT nextval('numbers');
CREATE SEQUENCE fresh;
CREATE MATERIALIZED VIEW seen AS SELECT clock_timestamp() AS at;
CREATE SCHEMA other;
CREATE TABLE other.things (a int);
SELECT lo_from_bytea(4711, 'large')"""


@dataclass(frozen=True)
class Way:
    """``text``: statements in the database, one ``;`` and line end between; ``beside``: then in the one of the server.

    ``undo`` is for what the whole server keeps, in the database ``app0``.
    """

    title: str
    text: str = ""
    finding: Literal["untouched", "written", "unproven"] = "written"
    beside: str = ""
    beyond: tuple[str, ...] = ()
    undo: str = ""


WRITES = (
    Way("counting is off in the session", "SET track_counts = off;\nINSERT INTO entries VALUES (0)"),
    Way(
        "counting is off for the role",
        "ALTER ROLE owner SET track_counts = off;\n\\connect;\nUPDATE entries SET note = 'x' WHERE id = 1",
        beyond=("settings of role owner",),
        undo="ALTER ROLE owner RESET track_counts",
    ),
    Way("all counters are reset", "DELETE FROM entries WHERE id = 2;\nSELECT pg_stat_reset()"),
    Way(
        "the counters of the table are reset",
        "INSERT INTO entries VALUES (0);\nSELECT pg_stat_reset_single_table_counters('entries'::regclass)",
    ),
    Way("the commit is not waited for", "SET synchronous_commit = off;\nINSERT INTO entries VALUES (0)"),
    Way(
        "a commit in two phases",
        "BEGIN;\nINSERT INTO entries VALUES (0);\nPREPARE TRANSACTION 'a';\nCOMMIT PREPARED 'a'",
    ),
    Way("a subtransaction", "BEGIN;\nSAVEPOINT a;\nDELETE FROM entries;\nRELEASE a;\nCOMMIT"),
    Way("triggers are off", "SET session_replication_role = replica;\nDELETE FROM entries WHERE id = 3"),
    Way("a row is written and taken back", "BEGIN;\nINSERT INTO entries VALUES (0);\nROLLBACK"),
    Way("an unlogged table", "INSERT INTO scratch VALUES (2)"),
    Way("a row of an unlogged table is exchanged", "UPDATE scratch SET a = 1"),
    Way("an unlogged table is emptied", "DELETE FROM scratch"),
    Way("a temporary table", "CREATE TEMPORARY TABLE t AS SELECT 1"),
    Way("a step of a sequence that is not logged", "SELECT nextval('numbers')"),
    Way("a sequence is set to what it is", "SELECT setval('numbers', 1)"),
    Way("a sequence is set before its first use", "SELECT setval('fresh', 7, false)"),
    Way("a large object is made", "SELECT lo_from_bytea(0, 'large')"),
    Way("a large object is written to", "SELECT lo_put(4711, 0, 'LARGE')"),
    Way("a large object is removed", "SELECT lo_unlink(4711)"),
    Way("a comment", "COMMENT ON TABLE entries IS 'x'"),
    Way("a grant", "GRANT SELECT ON entries TO PUBLIC"),
    Way("a grant on what the server brings along", "REVOKE EXECUTE ON FUNCTION pg_catalog.now() FROM PUBLIC"),
    Way("default privileges", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC"),
    Way("a publication", "CREATE PUBLICATION p FOR ALL TABLES"),
    Way(
        "an event trigger",
        "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';\n"
        "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION e()",
    ),
    Way(
        "frozen rows",
        "BEGIN;\nCREATE TABLE ice (a int);\nCOPY ice FROM PROGRAM 'echo 1' WITH (FREEZE);\nCOMMIT",
    ),
    Way("an empty table is truncated", "TRUNCATE other.things"),
    Way("another schema", "ALTER TABLE other.things ADD b int"),
    Way("a materialized view is filled anew", "REFRESH MATERIALIZED VIEW seen"),
    Way("a table is packed", "VACUUM FULL entries"),
    Way("a table is sorted", "CLUSTER entries USING entries_pkey"),
    Way("an index is built anew", "REINDEX INDEX entries_pkey"),
    Way(
        "the catalog is edited by hand",
        "SET allow_system_table_mods = on;\nUPDATE pg_catalog.pg_description SET description = 'x' WHERE objoid = 1242",
    ),
    Way("a setting of a column", "ALTER TABLE entries ALTER note SET STATISTICS 7"),
    Way("an extension", "CREATE EXTENSION dblink"),
    Way(
        "from another database",
        beside="CREATE EXTENSION IF NOT EXISTS dblink;\n"
        "SELECT dblink_exec('dbname={name} user=owner', 'INSERT INTO entries VALUES (0)')",
        beyond=("contents of database app0",),
    ),
)
"""Within the database."""

BESIDE = (
    Way("a role", beside="CREATE ROLE clerk", beyond=("role clerk",), undo="DROP ROLE clerk"),
    Way(
        "a password",
        beside="CREATE ROLE clerk;\n\\mark;\nALTER ROLE clerk PASSWORD 'x'",
        beyond=("role clerk",),
        undo="DROP ROLE clerk",
    ),
    Way(
        "a membership",
        beside="CREATE ROLE clerk;\n\\mark;\nGRANT clerk TO owner",
        beyond=("membership of owner in clerk",),
        undo="DROP ROLE clerk",
    ),
    Way(
        "a setting of a role",
        beside="ALTER ROLE owner SET work_mem = '5MB'",
        beyond=("settings of role owner",),
        undo="ALTER ROLE owner RESET work_mem",
    ),
    Way(
        "a setting of every role",
        beside="ALTER ROLE ALL SET work_mem = '5MB'",
        beyond=("settings of every role",),
        undo="ALTER ROLE ALL RESET work_mem",
    ),
    Way(
        "a setting of the server",
        beside="ALTER SYSTEM SET work_mem = '5MB'",
        beyond=("settings of the server",),
        undo="ALTER SYSTEM RESET work_mem",
    ),
    Way(
        "a comment on a role",
        beside="COMMENT ON ROLE owner IS 'x'",
        beyond=("comments on roles, databases and tablespaces",),
        undo="COMMENT ON ROLE owner IS NULL",
    ),
    Way(
        "a tablespace",
        beside="SET allow_in_place_tablespaces = on;\nCREATE TABLESPACE there LOCATION ''",
        beyond=("tablespace there",),
        undo="DROP TABLESPACE there",
    ),
    Way(
        "a replication slot",
        beside="SELECT pg_create_physical_replication_slot('standby')",
        beyond=("replication slot standby",),
        undo="SELECT pg_drop_replication_slot('standby')",
    ),
    Way(
        "a replication origin",
        beside="SELECT pg_replication_origin_create('afar')",
        beyond=("replication origin afar",),
        undo="SELECT pg_replication_origin_drop('afar')",
    ),
    Way(
        "a subscription",
        beside="CREATE SUBSCRIPTION news CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false, slot_name = NONE)",
        beyond=("subscription news",),
        undo="DROP SUBSCRIPTION news",
    ),
    Way("a database", beside="CREATE DATABASE fresh", beyond=("database fresh",), undo="DROP DATABASE fresh"),
    Way(
        "a setting of another database",
        beside="ALTER DATABASE app0 SET work_mem = '5MB'",
        beyond=("database app0",),
        undo="ALTER DATABASE app0 RESET work_mem",
    ),
    Way(
        "rows of another database",
        beside="SET track_counts = off;\nINSERT INTO entries VALUES (0)",
        beyond=("contents of database app0",),
        undo="DELETE FROM entries WHERE id = 0",
    ),
    Way(
        "an unlogged table of another database",
        beside="INSERT INTO scratch VALUES (0)",
        beyond=("unlogged or temporary tables of some database (1 times)",),
    ),
)
"""Beside it: it is untouched, and what was changed is named."""

UPKEEP = (
    Way("nothing at all"),
    Way("reading", "SELECT count(*) FROM entries"),
    Way("hints", "DELETE FROM entries WHERE id = 5;\n\\mark;\nSELECT count(*) FROM entries"),
    Way("analyzing", "CREATE STATISTICS s (ndistinct) ON id, note FROM entries;\n\\mark;\nANALYZE"),
    Way("vacuum", "DELETE FROM entries WHERE id < 90;\n\\mark;\nVACUUM"),
    Way("freezing", "VACUUM FREEZE"),
    Way("a checkpoint", beside="CHECKPOINT"),
    Way("a new file of the log", beside="SELECT pg_switch_wal()"),
    Way("locked rows", "BEGIN;\nSELECT * FROM entries FOR UPDATE;\nCOMMIT"),
    Way("an empty transaction with a number", "SELECT pg_current_xact_id()"),
    Way("a dump", "\\dump"),
)
"""No writes, and not taken for one."""
