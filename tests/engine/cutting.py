"""Upgrades that are cut off at a chosen moment, and what must hold once `recover` has brought them to an end."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import yaml
from docker.models.containers import Container

from deploy.demo.bed import LedgerHost, Prober
from deploy.demo.oracle import Sample, changes
from orchestrator.journal.journal import Journal, Record, Run
from tests.engine.installation import CHECKOUT, ORCHESTRATOR, RUN_TIMEOUT_S, Ended, build_ledger_plan, orchestrator
from tests.engine.trouble import NEW, OLD, WAITING_S, Site, within

BAD = "1.2.0"  # its migration fails, so there is a way back to be cut off on
LONGEST_DELAY_S = 0.3
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root"}
FORWARD = ("check", "preflight", "confirm", "prefetch", "backup", "stop", "pull", "migrate", "start", "health")
COMMITTED = ("commit", "cleanup")
BACK = ("restore", "rollback")
UNTOUCHED = FORWARD[:5]
TAKEN_BACK = ("stop", "pull")
CLIENTS = """
SELECT host(client_addr) FROM pg_stat_activity
WHERE datname = 'ledger' AND client_addr IS NOT NULL AND application_name <> 'stranger'
"""
_FRAME_HEADER = 24  # of SQLite's write-ahead log
SCHEMAS = {OLD: "1|id,body,prev_hash,hash", NEW: "2|id,body,prev_hash,hash,length"}
SCHEMA = """
SELECT (SELECT max(version) FROM schema_version WHERE finished_at IS NOT NULL), (
  SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
  WHERE attrelid = 'entries'::regclass AND attnum > 0 AND NOT attisdropped)
"""


class Moment(StrEnum):
    """When a state is cut off: before it changes anything, at work, with its work done but not recorded."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"
    TORN = "torn"  # at work, and half of a record is at the end of the journal, as when power fails while it is written


@dataclass(frozen=True)
class Cut:
    """Where a run is cut off."""

    moment: Moment
    state: str

    @property
    def version(self) -> str:
        """The release that passes through the state."""
        return BAD if self.state in BACK else NEW

    @property
    def point(self) -> str | None:
        """The failpoint of the moment, if it has one; states are numbered as this release passes them."""
        way = (*FORWARD[: FORWARD.index("start")], *BACK) if self.version == BAD else (*FORWARD, *COMMITTED)
        records = {Moment.BEFORE: "journal.prepared.after", Moment.AFTER: "journal.left.before"}
        number = way.index(self.state) + 1
        name = records.get(self.moment)
        return name and name + (f"#{number}" if number > 1 else "")

    def __str__(self) -> str:
        return f"{self.moment}-{self.state}"


@dataclass(frozen=True)
class Place:
    """Where a run was when it was cut off: the last record of its journal, or the end that it had come to."""

    run_id: str
    record: str
    state: str
    ended: str | None = None

    @property
    def ends(self) -> set[str]:
        """The verdicts that are right from here on for a release that is good; a bad one is taken back."""
        if self.ended is not None:
            return {self.ended}
        if self.state in (*UNTOUCHED, "rehearse", "refused") or (self.state, self.record) == ("stop", "left"):
            return {"refused"}
        if self.state in (*TAKEN_BACK, *BACK, "rolled_back"):
            return {"rolled_back"}
        if self.state == "migrate":  # complete or taken back: whichever the engine's verdict on its container says
            return {"committed", "rolled_back"} if self.record == "prepared" else {"rolled_back"}
        return {"committed"}


@dataclass
class Scene:
    """An installation with its witnesses, upgraded and cut off again and again."""

    site: Site
    prober: Prober
    random: random.Random
    environment: Mapping[str, str] = field(default_factory=dict)
    policy: str = "unless-stopped"

    @property
    def host(self) -> LedgerHost:
        """The host."""
        return self.site.host

    @property
    def plan(self) -> str:
        """Its plan file."""
        return str(self.site.installation.plan)

    @property
    def folder(self) -> Path:
        """Where its journal is."""
        return self.host.folder / ".orchestrator"

    def cut(self, cut: Cut) -> Place:
        """SIGKILL the process alone, as the kernel would; what it started stays at work."""
        if cut.point is not None:
            process = self.start(
                cut.version, sys.executable, "-m", "tests.faults.failpoints.process", "--die-at", cut.point, "--"
            )
            said = process.communicate(timeout=RUN_TIMEOUT_S)
            assert process.returncode == -signal.SIGKILL, said
            return self.find_place()
        with self.reached(cut) as process:
            self.let_it_work()
            process.send_signal(signal.SIGKILL)
        if cut.moment is Moment.TORN:
            tear(self.folder)
        return self.find_place()

    @contextmanager
    def reached(self, cut: Cut) -> Iterator[subprocess.Popen[str]]:
        """An upgrade that is at work in this state; it is over when this is left."""
        before = {run.id for run, _ in self._read_runs(self.folder)}
        process = self.start(cut.version, str(ORCHESTRATOR))
        try:
            within(RUN_TIMEOUT_S).poll(lambda: self._is_at(cut.state, before, process), every_s=0.005)
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            process.communicate()

    def start(self, version: str, *command: str) -> subprocess.Popen[str]:
        """The upgrade to a version, by this command."""
        return subprocess.Popen(
            [*command, "run", self.plan, "--force", "--retry", "--version", f"v{version}", "--json"],
            cwd=CHECKOUT,
            env={**ENVIRONMENT, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def let_it_work(self) -> None:
        """For a moment that nobody has chosen; the seed of the choice is printed by the fixture."""
        within(WAITING_S).pause(self.random.uniform(0, LONGEST_DELAY_S))

    def find_place(self) -> Place:
        """Where the newest run is, or how it ended; read from a copy, so that `recover` finds the journal as it was."""
        with TemporaryDirectory() as copy:
            for file in self.folder.glob("journal.sqlite3*"):
                copyfile(file, Path(copy) / file.name)
            run, records = self._read_runs(Path(copy))[0]
        moves = [one for one in records if one.record in ("entered", "prepared", "left")]
        record, state = _find_position(moves)
        return Place(run.id, record, state, run.verdict.value if run.verdict else None)

    def recover(self) -> Ended:
        """What the unit does as the host boots."""
        return orchestrator("recover", self.plan, "--json", environment=self.environment)

    def look(self) -> tuple[object, ...]:
        """All that a recovery could change."""
        records = [(run.id, run.verdict, len(records)) for run, records in self._read_runs(self.folder)]
        return (
            sorted((str(one.id), one.status, one.attrs["State"]["StartedAt"]) for one in self._members()),
            self.site.ask("SELECT oid, datname, datallowconn FROM pg_database ORDER BY oid"),
            self.site.installation.read_env(),
            sorted(path.name for path in self.site.installation.backups()),
            records,
        )

    def assert_ended(self, place: Place, ended: Ended, samples: tuple[Sample, ...], ends: Collection[str] = ()) -> None:
        """The end is the right one and says what is so; nothing is lost, nothing is left, no user saw anything else."""
        document = ended.document if place.ended is None else {"verdict": place.ended, "quarantine": []}
        verdict = document["verdict"]
        assert verdict in (ends or place.ends), (place, ended.said)
        version = NEW if verdict == "committed" else OLD
        self.site.assert_whole(Ended(0, json.dumps(document), ""), version)
        assert self.host.psql(SCHEMA) == SCHEMAS[version]
        self._assert_nothing_left(place.run_id)
        self._assert_no_stranger()
        self._assert_seen(place.run_id, version, samples)

    def _assert_nothing_left(self, run_id: str) -> None:
        client = self.host.client
        mine: dict[str, str | list[str] | bool] = {"label": f"upgrade-orchestrator.run={run_id}"}
        assert client.containers.list(all=True, ignore_removed=True, filters=mine) == []
        assert [*client.networks.list(filters=mine), *client.volumes.list(filters=mine)] == []
        assert self.host.container("app").attrs["HostConfig"]["RestartPolicy"]["Name"] == self.policy
        assert not [path for path in self.site.installation.backups() if path.suffix != ".gz"]

    def _assert_no_stranger(self) -> None:
        """Whoever is connected to the database is at an address that somebody still has."""
        known = {address for one in self._members() for address in _addresses(one)}
        within(WAITING_S).poll(lambda: {str(row[0]) for row in self.site.ask(CLIENTS)} <= known or None, every_s=0.2)

    def _assert_seen(self, run_id: str, version: str, samples: tuple[Sample, ...]) -> None:
        """One version at a time, and the new one only once the journal knew that it stays."""
        seen = changes(one.version for one in samples if one.version)
        assert seen in ([[OLD], [OLD, NEW]] if version == NEW else [[OLD]])
        first = [one.at for one in samples if one.version == NEW][:1]
        assert all(at + time.time() - time.monotonic() > self._find_pivot(run_id) for at in first)

    def _find_pivot(self, run_id: str) -> float:
        records = next(records for run, records in self._read_runs(self.folder) if run.id == run_id)
        (pivot,) = [one for one in records if (one.record, one.state) == ("prepared", "commit")][:1]
        return pivot.at.timestamp()

    def write_plan(self, *, rehearsed: bool = False, health: str = "2m", **timeouts: str) -> None:
        """A plan with patience: on a machine at its limits a good release must not be taken for a bad one."""
        document = build_ledger_plan(self.host, self.site.installation.feed, "upgrade.yaml", rehearsed=rehearsed)
        states = document["states"]
        assert isinstance(states, dict)
        for state, timeout in {"health": health, **timeouts}.items():
            states[state]["timeout"] = timeout
        Path(self.plan).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    def make_ready(self) -> None:
        """The old version again, and nothing of earlier runs."""
        if any(run.verdict is None for run, _ in self._read_runs(self.folder)):
            self.recover()  # a case before this one has failed
        if not self.site.serves(OLD):
            self.host.up("db")
            if self.host.psql(SCHEMA) == SCHEMAS[NEW]:
                self.site.reset()
            self.host.up()
        self.site.tidy()

    @contextmanager
    def watched(self) -> Iterator[Callable[[], tuple[Sample, ...]]]:
        """What users saw from here on."""
        first = len(self.prober.samples)
        yield lambda: tuple(self.prober.samples[first:])

    def _members(self) -> list[Container]:
        """All that are in the project's network, the gated ones too."""
        mine: dict[str, str | list[str] | bool] = {"network": f"{self.host.project}_default"}
        return self.host.client.containers.list(all=True, ignore_removed=True, filters=mine)

    # Closed again at once: the last one to close a journal tidies it up, and that must not be we.
    def _read_runs(self, folder: Path) -> list[tuple[Run, tuple[Record, ...]]]:
        with closing(Journal.open(folder)) as journal:
            return [(run, journal.records(run.id)) for run in journal.runs()]

    def _is_at(self, state: str, before: set[str], process: subprocess.Popen[str]) -> bool | None:
        new = [records for run, records in self._read_runs(self.folder) if run.id not in before]
        if any((one.record, one.state) == ("prepared", state) for records in new for one in records):
            return True
        assert process.poll() is None, f"it was over before {state}: {process.communicate()}"
        return None


def tear(folder: Path) -> None:
    """Half of one more record at the end of the journal, as when power fails while it is written."""
    log = folder / "journal.sqlite3-wal"
    whole = log.read_bytes()
    frame = _FRAME_HEADER + int.from_bytes(whole[8:12])
    assert len(whole) > frame
    with log.open("ab") as stream:
        stream.write(whole[-frame : -frame // 2])
    (folder / "journal.sqlite3-shm").unlink(missing_ok=True)


def _addresses(container: Container) -> list[str]:
    networks = container.attrs["NetworkSettings"]["Networks"].values()
    return [str(network["IPAddress"]) for network in networks]


def _find_position(moves: Sequence[Record]) -> tuple[str, str]:
    if not moves:
        return "opened", "check"
    last = moves[-1]
    return last.record, str(last.payload["to"]) if last.record == "left" else last.state
