"""Read the server and the engine past the app and past the tool that is tested."""

# ruff: noqa: S608 - names and numbers come from the server itself
import hashlib
import re
from dataclasses import dataclass

from deploy.demo.bed import LedgerHost
from tests.soak.server import LIVE, SYSTEM, Server

_ALWAYS = {"postgres", "template0", "template1"}
_TABLES = """SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"""
_UNSTABLE = re.compile(r"^(\\(un)?restrict .*|-- Dumped .*)$", re.MULTILINE)


@dataclass(frozen=True)
class Data:
    """The live database: its schema, and of each table rows and hash; ``last_id`` is the newest entry looked at."""

    schema: str
    tables: dict[str, str]
    last_id: int


def read_data(server: Server) -> Data:
    """All of it. Only while nobody writes do two of these have to be equal."""
    names = [name for (name,) in server.ask(_TABLES)]
    tables = {name: server.read_one(_hash(f"SELECT * FROM {name}")) for name in names}
    return Data(_read_schema(server), tables, _last_id(server))


def read_entries_upto(server: Server, last_id: int | None = None) -> Data:
    """The schema, and the entries up to ``last_id`` (None: the newest one there is); they are never changed."""
    last = _last_id(server) if last_id is None else last_id
    entries = server.read_one(_hash(f"SELECT id, body, prev_hash, hash FROM entries WHERE id <= {last}"))
    return Data(_read_schema(server), {"entries": entries}, last)


def find_differences(before: Data, after: Data) -> list[str]:
    """Sentences, one for each thing that did not come back as it was."""
    found = [] if before.schema == after.schema else ["the schema is not the one of before"]
    for name in sorted({*before.tables, *after.tables}):
        one, other = before.tables.get(name), after.tables.get(name)
        if one != other:
            found.append(f"{name} was {one} and is {other}")
    return found


def find_leftovers(server: Server, must: set[str], may: set[str]) -> list[str]:
    """Sentences about the server: a fence, a session, a database beside those that must or may be there, or none."""
    rows = server.ask("SELECT datname, datallowconn FROM pg_database", SYSTEM)
    doors = {name: door == "True" for name, door in rows}
    found = [] if doors.get(LIVE) else [f"{LIVE} is fenced"]
    found += [f"database {name} is left" for name in sorted({*doors} - {LIVE, *_ALWAYS} - must - may)]
    found += [f"database {name} is gone" for name in sorted({LIVE, *must} - {*doors})]
    ours = "SELECT pid, query FROM pg_stat_activity WHERE application_name LIKE 'upgrade-orchestrator%'"
    return found + [f"session {pid} of the upgrade is left: {query}" for pid, query in server.ask(ours, SYSTEM)]


def find_other_policies(host: LedgerHost) -> list[str]:
    """Sentences about services that would not come back by themselves as they did before."""
    policies = {name: host.container(name).attrs["HostConfig"]["RestartPolicy"]["Name"] for name in ("app", "db")}
    return [f"{name}: restart policy {one!r}" for name, one in policies.items() if one != "unless-stopped"]


def find_labelled(host: LedgerHost, run: str) -> list[str]:
    """Sentences about what on the engine still carries the label of a run."""
    wanted: dict[str, str | list[str] | bool] = {"label": f"upgrade-orchestrator.run={run}"}
    client = host.client
    names = [one.name for one in client.containers.list(all=True, filters=wanted, ignore_removed=True)]
    names += [one.name for one in client.networks.list(filters=wanted)]
    names += [one.name for one in client.volumes.list(filters=wanted)]
    return [f"{name} is left, labelled with the run" for name in names]


def read_version(host: LedgerHost) -> str:
    """The version of the app's container, as its image says it."""
    return str(host.container("app").labels["org.opencontainers.image.version"]).removeprefix("v")


def _last_id(server: Server) -> int:
    return int(server.read_one("SELECT coalesce(max(id), 0) FROM entries"))


def _hash(query: str) -> str:
    return (
        "SELECT count(*) || ' rows, ' || encode(sha256(convert_to(coalesce(string_agg(row, E'\\n' ORDER BY row"
        f" COLLATE \"C\"), ''), 'UTF8')), 'hex') FROM (SELECT t::text AS row FROM ({query}) t) rows"
    )


def _read_schema(server: Server) -> str:
    return hashlib.sha256(_UNSTABLE.sub("", server.dump_schema()).encode()).hexdigest()
