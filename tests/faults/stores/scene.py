"""An app that keeps data in a database and in a store of another make; either may be the first in the plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from orchestrator.core.model.verdict import Verdict
from orchestrator.core.state_kind import Ports
from orchestrator.machine.resume import Mode
from orchestrator.plan.operations import derive_rollback
from orchestrator.reports.report import RunReport
from orchestrator.run.recovery import Takeover
from states.registry import KINDS
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version
from tests.tools.build import make_ports
from tests.tools.memory_store import MemoryStore
from tests.tools.script import Script
from tests.tools.things import FakeDb, Migration, Schema

_MIGRATED = "migrated"
_BETWEEN = "between the backup and the stop"


@dataclass(frozen=True)
class Serving:
    """A version that serves, and on what."""

    version: str | None
    schema: Schema
    entries: tuple[str, ...]
    rows: tuple[str, ...]


@dataclass
class Pair:
    """A bench whose plan has two stores, with something of users in both; every release migrates both."""

    folder: Path
    cache_first: bool = False
    machine: str = WITHOUT_REHEARSAL

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.bench = Bench(self.folder, self.machine)
        self.world = self.bench.world
        self.cache = MemoryStore(self.world.script)
        self.world.stores = (self.cache,)
        self.bench.service = replace(self.bench.service, ports=self.make_ports())
        for release in self.world.releases.values():
            release.migrate = partial(self._migrate, release.migrate)
        self.world.happen("workloads.stop_services", partial(self.save, _BETWEEN))
        self.save("before the backup")

    @property
    def script(self) -> Script:
        """The script of the world."""
        return self.world.script

    def make_ports(self) -> Ports:
        """What a new process sees."""
        ports = make_ports(self.world)
        return replace(ports, stores=ports.stores[::-1]) if self.cache_first else ports

    def save(self, entry: str) -> None:
        """A user saves an entry in both stores, where the app serves them."""
        if self.world.users_write(1):
            self.cache.data[self.cache.live].write(entry)
            self.saved = Serving(serving_version(self.world), *self.find_live())

    def find_live(self) -> tuple[Schema, tuple[str, ...], tuple[str, ...]]:
        """What the app works on: the schema, the entries of the database, the rows of the other store."""
        live = self.world.databases[self.world.live]
        return (live.schema, tuple(live.tables[self.world.user_table]), tuple(self.cache.rows))

    def expect(self, version: str, schema: Schema) -> Serving:
        """A version that has migrated what users had saved when the app stopped."""
        return Serving(version, schema, self.saved.entries, (*self.saved.rows, _MIGRATED))

    def upgrade(self, version: str) -> RunReport:
        """`orchestrator run`."""
        return self.bench.run(version)

    def roll_back(self) -> RunReport:
        """`orchestrator rollback`."""
        self.world.clock.advance(60)
        return self.bench.service.roll_back(assume_yes=True, listener=self.bench.recorder)

    def recover(self, *, rollback: bool = False, revived: bool = False) -> RunReport:
        """`orchestrator recover` in another process."""
        if not revived:
            self.script.revive()
        plan = derive_rollback(self.bench.plan, KINDS) if rollback else self.bench.plan
        way = Takeover(plan, KINDS, self.make_ports())
        report = way.take_up(Mode.RECOVER, announce=lambda run, move: None, listener=self.bench.recorder)
        assert report is not None
        return report

    def find_split(self, report: RunReport, committed: Serving) -> list[str]:
        """What of an end is not as one unit has it: ``committed``, or all as it was when the app stopped."""
        if report.run.verdict not in (Verdict.COMMITTED, Verdict.ROLLED_BACK, Verdict.REFUSED):
            return [f"{report.run.verdict}: {report.run.reason}"]
        expected = committed if report.run.verdict is Verdict.COMMITTED else self.saved
        found = Serving(serving_version(self.world), *self.find_live())
        return [*([] if found == expected else [f"{expected} is expected, not {found}"]), *self.find_left(report)]

    def find_left(self, report: RunReport) -> Iterator[str]:
        """What is locked, and what lies beside that no report has."""
        if self.world.databases[self.world.live].fenced or self.cache.data[self.cache.live].locked:
            yield "users are locked out"
        beside = {*self.world.databases, *self.cache.data} - {self.world.live, self.cache.live}
        unnamed = {ref for ref in beside if ref not in report.quarantine and "snapshot" not in ref}
        if unnamed:
            yield f"nobody knows of {unnamed}"

    def is_kept(self, saved: Serving) -> bool:
        """Whether all that users had saved is somewhere, whole in each of both stores."""
        databases = self.world.databases.values()
        entries = (tuple(one.tables.get(self.world.user_table, ())) for one in databases)
        return saved.entries in entries and saved.rows in (tuple(one.rows) for one in self.cache.data.values())

    def migrate_cache(self, database: FakeDb) -> int:
        """A migration that leaves the database alone, and fails."""
        world = next(one for one in (self.world, *self.world.stages.values()) if database in one.databases.values())
        for cache in world.stores:
            cache.data[cache.live].write(_MIGRATED)
        return 1

    def _migrate(self, migrate: Migration, database: FakeDb) -> int:
        self.migrate_cache(database)
        return migrate(database)
