"""Upgrades of an installed ledger in which something goes wrong at a chosen moment, and what must hold after each."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import yaml

from deploy.demo.bed import Acknowledged, LedgerHost, Writer, missing, read_entries
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.adapters.http.probe import HttpProbe
from orchestrator.core.deadline import Deadline
from tests.engine.installation import (
    ORCHESTRATOR,
    RUN_TIMEOUT_S,
    Ended,
    Installation,
    build_ledger_plan,
    find_belongings,
)

OLD, NEW = "1.0.0", "1.1.0"
WAITING_S = 180
PAUSE = 'touch "$1.reached"; until [ -e "$1.over" ]; do sleep 0.05; done'
OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'upgrade-orchestrator%'"
OPEN = "SELECT datallowconn FROM pg_database WHERE datname = %s"
DATABASES = "SELECT datname FROM pg_database WHERE datname LIKE %s"
BUSY = "SELECT 1 FROM pg_stat_activity WHERE query LIKE %s AND state = 'active' AND pid <> pg_backend_pid()"
KEY_WORDS = re.compile(r"\s+")

Row = tuple[Any, ...]


def within(seconds: float = WAITING_S) -> Deadline:
    """A bound for a wait of a test."""
    return Deadline(SystemClock(), seconds, what="The test")


def until(condition: Callable[[], object], seconds: float = WAITING_S) -> None:
    """Wait until the condition holds."""
    within(seconds).poll(lambda: True if condition() else None, every_s=0.05)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the plan of one case has different from the shipped one.

    ``pauses`` are states before which the upgrade waits for the test, ``timeouts`` and ``options`` are by state.
    """

    migrate: Sequence[str] | None = None
    database: Mapping[str, str] = field(default_factory=dict)
    disconnect: Sequence[str] = ()
    pauses: Sequence[str] = ()
    timeouts: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    version: str = NEW


class Running:
    """The real command at work; it is awaited on leaving."""

    def __init__(self, site: "Site", setting: Setting) -> None:
        self._site, self._folder = site, site.host.folder
        for left in self._folder.glob("pause_*"):
            left.unlink()
        argv = [str(ORCHESTRATOR), "run", str(site.write_plan(setting))]
        argv += ["--force", "--retry", "--version", f"v{setting.version}", "--json"]
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root"}
        self._process = subprocess.Popen(
            argv,
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._pauses = tuple(setting.pauses)

    def await_pause(self, state: str) -> None:
        """Wait until the upgrade is about to enter a state; it stays there until `resume`."""
        self.until((self._folder / f"pause_{state}.reached").exists)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds, for as long as the upgrade is at work."""
        until(lambda: condition() or self._process.poll() is not None)
        assert self._process.poll() is None, self.end().said

    def await_query(self, like: str) -> None:
        """Wait until the server works on a statement like this."""
        with self._site.connect("postgres") as connection:
            self.until(lambda: connection.execute(BUSY, (like,)).fetchone())

    def resume(self, state: str) -> None:
        """Let it enter the state."""
        (self._folder / f"pause_{state}.over").touch()

    @contextmanager
    def paused(self, state: str) -> Iterator[None]:
        """Do something while it waits before a state."""
        self.await_pause(state)
        yield
        self.resume(state)

    def kill(self) -> None:
        """End it as SIGKILL does; what it has left at work goes on."""
        self._process.kill()
        self._process.wait()

    def end(self) -> Ended:
        """Wait for its end; pauses do not hold it up any more."""
        for state in self._pauses:
            self.resume(state)
        try:
            said, errors = self._process.communicate(timeout=RUN_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            said, errors = self._process.communicate()
            raise AssertionError(f"it did not end: {said}{errors}") from None
        return Ended(self._process.returncode, said, errors)


@dataclass
class Site:
    """A host whose users never stop writing, and its database as seen from outside."""

    installation: Installation
    writer: Writer
    database: str = "ledger"
    quarantined: dict[int, set[str]] = field(default_factory=dict)

    @property
    def host(self) -> LedgerHost:
        """The host."""
        return self.installation.host

    # --- the upgrade

    def write_plan(self, setting: Setting) -> Path:
        """The plan of a case; the machine is the shipped one without a rehearsal."""
        document: dict[str, Any] = build_ledger_plan(self.host, self.installation.feed, "upgrade.yaml")
        states: dict[str, dict[str, Any]] = document["states"]
        _leave_out(states, "rehearse")
        states["health"]["timeout"] = "25s"
        for state, timeout in setting.timeouts.items():
            states[state]["timeout"] = timeout
        for state, options in setting.options.items():
            states[state]["with"] = {**states[state].get("with", {}), **options}
        for state in setting.pauses:
            _insert_pause(states, state)
        if setting.migrate is not None:
            document["target"]["migrate"] = list(setting.migrate)
        if setting.disconnect:
            document["target"]["disconnect"] = list(setting.disconnect)
        document["database"] = {"service": "db", "name": self.database, **setting.database}
        path = self.host.folder / "trouble.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return path

    @contextmanager
    def upgrading(self, setting: Setting) -> Iterator[Running]:
        """The upgrade at work; it has ended when this is left."""
        running = Running(self, setting)
        try:
            yield running
        finally:
            with suppress(ValueError):  # the case has read its end
                running.end()

    def upgrade(self, setting: Setting) -> Ended:
        """From start to end without anybody touching it."""
        return Running(self, setting).end()

    # --- the database

    def connect(self, database: str | None = None, **parameters: object) -> psycopg.Connection[Row]:
        """A session of a stranger, in autocommit mode."""
        networks = self.host.container("db").attrs["NetworkSettings"]["Networks"]
        address = networks[f"{self.host.project}_default"]["IPAddress"]  # it may be in that of a gate, too
        account = {"user": "ledger", "password": self.host.password, "application_name": "stranger"}
        given: dict[str, Any] = {**account, **parameters}
        return psycopg.connect(
            host=address,
            dbname=database or self.database,
            autocommit=True,
            connect_timeout=5,
            **given,
        )

    def ask(self, query: LiteralString, *values: object, database: str = "postgres") -> list[Row]:
        """Rows of a question or statement."""
        with self.connect(database) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def answers(self) -> bool:
        """Whether the server lets somebody in."""
        with suppress(psycopg.Error, ValueError):
            return self.ask("SELECT 1") == [(1,)]
        return False

    def kill_server(self) -> None:
        """Power off its container, and do not switch it on again."""
        self.host.container("db").kill()

    def start_server(self) -> None:
        """Switch it on and wait until it answers."""
        self.host.container("db").start()
        until(self.answers)

    def crash_a_backend(self, like: str) -> None:
        """As when the kernel kills a backend for want of memory: the server ends all others and recovers."""
        with self.connect("postgres") as connection, suppress(psycopg.OperationalError):
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()", (like,)
            ).fetchone()
            assert found is not None
            self.host.container("db").exec_run(["bash", "-c", f"kill -KILL {found[0]}"])
        until(self.answers)

    # --- what must hold

    def serves(self, version: str = OLD) -> bool:
        """Whether users are served by this version."""
        with suppress(ValueError):  # no app answers, or something else does
            healthy = HttpProbe().get(f"{self.host.url}/api/health", timeout_s=5)
            said = HttpProbe().get(f"{self.host.url}/api/version", timeout_s=5)
            return healthy.status == 200 and bool(json.loads(said.body)["current"] == version)
        return False

    def assert_whole(self, ended: Ended, version: str = OLD) -> None:
        """A version serves users on an open database, nothing of ours is left, and nothing acknowledged is lost."""
        until(lambda: self.serves(version))
        self.writer.await_acknowledged(3, WAITING_S)
        assert self.ask(OPEN, self.database) == [(True,)]
        until(lambda: self.ask(OURS) == [(0,)], 10)
        names = {
            str(one.name)
            for one in self.host.client.containers.list(all=True, ignore_removed=True, filters=self._ours())
        }
        assert names == set()
        belongings = find_belongings(self.host.client, self.host.project)["containers"]
        assert not [name for name in belongings if "gated" in name or "migrate" in name]
        assert self.find_lost(ended) == []

    def find_lost(self, ended: Ended) -> list[Acknowledged]:
        """Acknowledged entries that are neither live nor in a quarantine that a report has named."""
        acknowledged = self.writer.acknowledged
        quarantines = ended.document["quarantine"]
        assert isinstance(quarantines, list)
        there = {name for (name,) in self.ask(DATABASES, "%")}
        for name in there.intersection(quarantines):  # pasted lines may have given one its live name back
            self._remember(name)
        live = read_entries(self.host.url)
        return [one for one in missing(acknowledged, live) if one.hash not in self.quarantined.get(one.id, ())]

    def reset(self) -> None:
        """Go back from the new version by hand, after a case that ended in it."""
        self.host.compose("stop", "app")
        self.host.psql(
            "SET lock_timeout = 0; SET statement_timeout = 0;"
            " ALTER TABLE entries DROP COLUMN length; DELETE FROM schema_version WHERE version = 2",
            database=self.database,
        )
        self.host.pin(f"v{OLD}")
        self.host.up()

    def tidy(self) -> None:
        """Drop what earlier cases have set aside; what was acknowledged into it is remembered."""
        for aside in (r"%\_\_failed\_%", r"%\_\_aside\_%"):
            for (name,) in self.ask(DATABASES, aside):
                self._remember(name)
        for (name,) in self.ask(DATABASES, r"%\_\_%"):
            self.host.psql(f'DROP DATABASE "{name}"', database="postgres")

    def _remember(self, quarantine: str) -> None:
        with suppress(psycopg.errors.UndefinedTable):  # a migration has dropped it
            for number, entry_hash in self.ask("SELECT id, hash FROM entries", database=quarantine):
                self.quarantined.setdefault(number, set()).add(entry_hash)

    def _ours(self) -> dict[str, str | list[str] | bool]:
        return {"name": "upgrade-orchestrator", "network": f"{self.host.project}_default"}


@contextmanager
def written_site(installation: Installation) -> Iterator[Site]:
    """A site with its writer at work; the host goes at the end."""
    with Writer(installation.host.url, per_second=10) as writer:
        writer.await_acknowledged(3, WAITING_S)
        yield Site(installation, writer)
    installation.host.down()


def reason_of(ended: Ended, state: str) -> str:
    """What a state of the run said, on one line."""
    states = ended.document["states"]
    assert isinstance(states, list)
    said = [line["reason"] for line in states if line["state"] == state]
    assert said, [line["state"] for line in states]
    return KEY_WORDS.sub(" ", said[-1])


def verdict_of(ended: Ended) -> tuple[object, int]:
    """How it ended, in words and as exit code."""
    assert ended.document["exit_code"] == ended.exit_code
    return ended.document["verdict"], ended.exit_code


def _leave_out(states: dict[str, dict[str, Any]], kind: str) -> None:
    for name in [name for name, state in states.items() if state.get("kind") == kind]:
        after = states.pop(name)["then"]["done"]
        _redirect(states, name, after)


def _insert_pause(states: dict[str, dict[str, Any]], state: str) -> None:
    _redirect(states, state, f"pause_{state}")
    run = ["sh", "-c", PAUSE, "sh", f"pause_{state}"]
    options = {"run": run, "on": "host", "changes": "nothing"}
    states[f"pause_{state}"] = {"kind": "command", "with": options, "then": {"done": state, "failed": state}}


def _redirect(states: dict[str, dict[str, Any]], old: str, new: str) -> None:
    for state in states.values():
        if "then" in state:
            state["then"] = {outcome: new if to == old else to for outcome, to in state["then"].items()}
