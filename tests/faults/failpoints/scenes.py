"""Stories on a bench whose world and disk can be put back to what they were at any point of them."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from orchestrator.core.errors import OrchestratorError
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.journal.journal import Journal
from orchestrator.machine.resume import Mode
from orchestrator.reports.report import RunReport
from orchestrator.run.listener import Listener
from orchestrator.run.recovery import Takeover
from orchestrator.run.service import Service
from states.registry import KINDS
from tests.faults.failpoints.points import Point
from tests.faults.failpoints.watching import Watching
from tests.faults.failpoints.wrapping import journal_watched, wrap
from tests.faults.invariants import Evidence, Things, find_broken, read_evidence
from tests.tools.bench import WITHOUT_REHEARSAL, Bench
from tests.tools.build import announce_up_to, make_ports
from tests.tools.moments import Step
from tests.tools.things import FakeDb, FakeJob
from tests.tools.world import FakeWorld

OPEN = WITHOUT_REHEARSAL.replace('"gate": "closed"', '"gate": "open"')
_LASTS = frozenset({"reserve", "lock", "journal.sqlite3-shm"})


@dataclass(frozen=True)
class Story:
    """A machine and the release to go to."""

    machine: str
    version: str


STORIES: Mapping[str, Story] = {
    "good": Story("", "v1.1.0"),
    "migration fails": Story(WITHOUT_REHEARSAL, "v1.2.0"),
    "health fails": Story(WITHOUT_REHEARSAL, "v1.3.0"),
}
MORE_STORIES: Mapping[str, Story] = {
    **STORIES,
    "good without a rehearsal": Story(WITHOUT_REHEARSAL, "v1.1.0"),
    "good behind no gate": Story(OPEN, "v1.1.0"),
    "health fails behind no gate": Story(OPEN, "v1.3.0"),
}

Command = Literal["run"] | Mode


@dataclass(frozen=True)
class Saved:
    """All that outlives a process, as it was at one point."""

    world: bytes
    files: Mapping[str, bytes]
    steps: tuple[Step, ...] = ()
    records: int = 0
    point: Point | None = None

    @property
    def state(self) -> tuple[bytes, tuple[tuple[str, bytes], ...]]:
        """What another process finds; equal for two points between which nothing happens."""
        return self.world, tuple(sorted(self.files.items()))

    @property
    def processes(self) -> int:
        """How many processes there were so far."""
        return self.steps[-1].process + 1 if self.steps else 0


@dataclass(frozen=True)
class Ended:
    """How one process ended: with a report, with none because nothing was to be done, or with an error."""

    saved: Saved
    report: RunReport | None
    error: OrchestratorError | None


@dataclass
class Scene:
    """One story; everything happens in ``folder``, which only this scene uses."""

    folder: Path
    story: Story
    start: Saved = field(init=False)
    before: Things = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(self.folder, self.story.machine)
        announce_up_to(bench.world, self.story.version)
        bench.world.users_write(3)
        add_neighbours(bench.world)
        self.plan = bench.plan
        self.plan.source.write_text(self.plan.text, encoding="utf-8")
        self.directory = self.plan.journal_directory
        self.before = Things.of(bench.world)
        self.start = Saved(pickle.dumps(bench.world), {})

    @property
    def log(self) -> Path:
        """Where the journal's newest commits are."""
        return self.directory / "journal.sqlite3-wal"

    def bring_back(self, saved: Saved) -> FakeWorld:
        """Make the disk what it was, and give the world as it was."""
        if self.directory.is_dir():
            for path in self.directory.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name not in {"reserve", "lock"}:
                    path.unlink()
        for name, content in saved.files.items():
            path = self.directory / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(content)
        world: FakeWorld = pickle.loads(saved.world)  # noqa: S301 - our own
        return world

    def save(self, points: Watching, point: Point | None = None) -> Saved:
        """All that is there at this moment of a process."""
        files = {
            str(path.relative_to(self.directory)): path.read_bytes()
            for path in self.directory.rglob("*")
            if path.name not in _LASTS and path.is_file()
        }
        return Saved(pickle.dumps(points.world), files, tuple(points.steps), points.records, point)

    def watch(self, saved: Saved) -> Watching:
        """The points of the next process after what was saved."""
        return Watching(
            world=self.bring_back(saved),
            log=self.log,
            process=saved.processes,
            records=saved.records,
            steps=list(saved.steps),
        )

    def play(self, command: Command, points: Watching) -> Ended:
        """One process to its end, in this one."""
        report, error = None, None
        try:
            with journal_watched(points):
                report = self._obey(command, points)
        except OrchestratorError as raised:
            error = raised
        return Ended(self.save(points), report, error)

    def find_broken(self, ended: Ended) -> list[str]:
        """What is wrong where the last of some processes has ended so; what is on the disk is still from it."""
        if ended.error is not None:
            return [f"it ended with {ended.error.code}: {ended.error}"]
        saved, world = ended.saved, self.bring_back(ended.saved)
        if ended.report is None and not saved.records:
            same = Things.of(world) == self.before
            return [] if same else ["nothing was recorded, and the world is another one"]
        last = saved.processes - (1 if ended.report else 2)
        return find_broken(read_evidence(self.plan, self.before, world, saved.steps, ended_in=last))

    def read(self, saved: Saved) -> Evidence:
        """The evidence of a run that ended in the last process of what was saved, which is brought back."""
        world = self.bring_back(saved)
        return read_evidence(self.plan, self.before, world, saved.steps, ended_in=saved.processes - 1)

    def _obey(self, command: Command, points: Watching) -> RunReport | None:
        ports = wrap(make_ports(points.world), points)
        if command == "run":
            request = ReleaseRequest(version=self.story.version)
            return Service(self.plan, KINDS, ports).run(request, assume_yes=True, listener=Listener())
        way = Takeover(self.plan, KINDS, ports, journal=self._open_unfinished())
        return way.take_up(command, announce=lambda run, move: None, listener=Listener())

    def _open_unfinished(self) -> Journal | None:
        """The journal of an unfinished run, open for reading, as the command line finds it."""
        journal = Journal.open_existing(self.directory)
        if journal is not None and journal.find_unfinished() is None:
            journal.close()
            return None
        return journal


def add_neighbours(world: FakeWorld) -> None:
    """What is on the host and is none of our business."""
    neighbour = FakeDb(schema=7, tables={"public.theirs": ["a row"]}, owner="neighbour")
    world.databases["neighbour"] = neighbour
    image = world.containers["db"].image
    world.jobs["their-job"] = FakeJob("their-job", "r-of-somebody-else", image, "", neighbour)
    world.stages["r-of-somebody-else"] = world.apart()
    world.files[world.backup_directory / "theirs.sql.gz"] = b"theirs"
