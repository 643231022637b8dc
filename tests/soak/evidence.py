"""What is on the server and on the engine, read past the app and past the tool that is tested."""

# ruff: noqa: S608 - names and numbers come from the server itself
import hashlib
import re
from dataclasses import dataclass

from deploy.demo.bed import LedgerHost

LIVE = "ledger"
SYSTEM = ("postgres", "template0", "template1")
_TABLES = """SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"""
_UNSTABLE = re.compile(r"^(\\(un)?restrict .*|-- Dumped .*)$", re.MULTILINE)


@dataclass(frozen=True)
class Data:
    """The live database: its schema, and of each table rows and hash; ``last_id`` is the newest entry looked at."""

    schema: str
    tables: dict[str, str]
    last_id: int


def read_data(host: LedgerHost) -> Data:
    """All of it. Only while nobody writes do two of these have to be equal."""
    names = host.psql(_TABLES).splitlines()
    tables = {name: host.psql(_hash(f"SELECT * FROM {name}")) for name in names}
    return Data(_schema(host), tables, _last_id(host))


def read_entries_upto(host: LedgerHost, last_id: int | None = None) -> Data:
    """The schema, and the entries up to ``last_id`` (None: the newest one there is); they are never changed."""
    last = _last_id(host) if last_id is None else last_id
    entries = host.psql(_hash(f"SELECT id, body, prev_hash, hash FROM entries WHERE id <= {last}"))
    return Data(_schema(host), {"entries": entries}, last)


def find_differences(before: Data, after: Data) -> list[str]:
    """Sentences, one for each thing that did not come back as it was."""
    found = [] if before.schema == after.schema else ["the schema is not the one of before"]
    for name in sorted({*before.tables, *after.tables}):
        one, other = before.tables.get(name), after.tables.get(name)
        if one != other:
            found.append(f"{name} was {one} and is {other}")
    return found


def read_ids(host: LedgerHost, database: str = LIVE) -> dict[int, str]:
    """The ledger of any database as id to hash."""
    rows = host.psql("SELECT id, hash FROM entries", database=database).splitlines()
    return {int(number): digest for number, digest in (row.split("|") for row in rows)}


def find_leftovers(host: LedgerHost, expected: set[str]) -> list[str]:
    """Sentences about what should not be on the server: a fence, a session, a database beside ``expected``."""
    rows = host.psql("SELECT datname, datallowconn FROM pg_database", database="postgres").splitlines()
    doors = dict(row.split("|") for row in rows)
    found = [] if doors.get(LIVE) == "t" else [f"{LIVE} is fenced"]
    found += [f"database {name} is left" for name in sorted({*doors} - {LIVE, *SYSTEM} - expected)]
    found += [f"database {name} is gone" for name in sorted({LIVE, *expected} - {*doors})]
    ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'upgrade-orchestrator%'"
    sessions = host.psql(ours, database="postgres")
    found += [] if sessions == "0" else [f"{sessions} sessions of the upgrade are left"]
    policy = host.container("app").attrs["HostConfig"]["RestartPolicy"]["Name"]
    return found + ([] if policy == "unless-stopped" else [f"the app's restart policy is {policy!r}"])


def _last_id(host: LedgerHost) -> int:
    return int(host.psql("SELECT coalesce(max(id), 0) FROM entries"))


def _hash(query: str) -> str:
    return (
        "SELECT count(*) || ' rows, ' || encode(sha256(convert_to(coalesce(string_agg(row, E'\\n' ORDER BY row"
        f" COLLATE \"C\"), ''), 'UTF8')), 'hex') FROM (SELECT t::text AS row FROM ({query}) t) rows"
    )


def _schema(host: LedgerHost) -> str:
    dump = host.compose("exec", "--no-TTY", "db", "pg_dump", "--schema-only", "--username", "ledger", LIVE)
    return hashlib.sha256(_UNSTABLE.sub("", dump).encode()).hexdigest()
