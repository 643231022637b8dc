"""One run that meets one fault in one state, and what is left behind it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from orchestrator.core.model.verdict import Verdict
from orchestrator.journal.journal import Journal
from orchestrator.machine.resume import Mode
from orchestrator.plan.schema import Plan
from orchestrator.reports.report import RunReport
from orchestrator.run.recovery import Takeover
from states.registry import KINDS
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, Recorder, serving_version
from tests.tools.build import make_ports
from tests.tools.outside import FakeOperator
from tests.tools.script import Call, Killed
from tests.tools.world import FakeWorld

RUN_ID = "r-20260105-020000-cafe"
_BACK = frozenset({"restore", "rollback"})
_SERVING = {Verdict.COMMITTED: "v1.1.0", Verdict.ROLLED_BACK: "v1.0.0", Verdict.REFUSED: "v1.0.0"}


@dataclass(frozen=True)
class Trouble:
    """A fault as something that begins and ends: ``begin`` breaks the world, ``end`` repairs it."""

    name: str
    begin: Callable[[Scene], object]
    end: Callable[[Scene], object] = lambda scene: None


class Trace(NamedTuple):
    """What a run did and how it ended: the states with their outcomes, the effects in order, the end."""

    path: tuple[tuple[str, str], ...]
    effects: tuple[Call, ...]
    verdict: Verdict
    exit_code: int
    serving: str | None


class Span(NamedTuple):
    """What a state did between its beginning and its end: its effects, and how many looks it took."""

    effects: tuple[str, ...]
    looks: int


class Watch(Recorder):
    """Lets the trouble begin when the state is entered for the first time, and end when it is left, unless it lasts."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene
        self._met = False
        self._began = (0, 0)
        self.span = Span((), 0)
        self.reasons: dict[str, str] = {}

    def entered(self, state: str, kind: str) -> None:
        scene = self._scene
        if state == scene.state and not self._met:
            self._met = True
            self._began = (len(scene.world.calls), len(scene.world.script.looks))
            if scene.trouble is not None:
                scene.trouble.begin(scene)

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None:
        super().left(state, outcome, reason, seconds)
        self.reasons[state] = reason
        scene = self._scene
        if state != scene.state:
            return
        effects, looks = self._began
        self.span = Span(tuple(scene.world.chain()[effects:]), len(scene.world.script.looks) - looks)
        if scene.trouble is not None and not scene.lasts:
            scene.trouble.end(scene)


@dataclass
class Scene:
    """A bench whose run comes through ``state``: forward with a good release, back with one that cannot migrate.

    Its operator is asked and says yes; its runs have a name of their own that is always the same.
    ``machine`` takes the place of the standard one.
    """

    folder: Path
    state: str
    trouble: Trouble | None = None
    lasts: bool = False
    machine: str | None = None
    bench: Bench = field(init=False)
    watch: Watch = field(init=False)
    operator: FakeOperator = field(init=False)
    policy: str = field(init=False)
    report: RunReport = field(init=False)
    edited_pin: str = ""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.operator = FakeOperator()
        usual = WITHOUT_REHEARSAL if self.state in _BACK else ""
        self.bench = Bench(self.folder, usual if self.machine is None else self.machine, self.operator)
        self.operator.asked = partial(self.world.script.look, "operator.confirm")
        self.bench.service = replace(self.bench.service, make_run_id=lambda: RUN_ID)
        self.bench.recorder = self.watch = Watch(self)
        self.policy = self.world.restart_policy
        self.world.users_write(3)

    @property
    def world(self) -> FakeWorld:
        """What the trouble breaks."""
        return self.bench.world

    @property
    def version(self) -> str:
        """The release that leads through the state."""
        return "v1.2.0" if self.state in _BACK else "v1.1.0"

    def run(self) -> Trace:
        """The run from its beginning to its end."""
        before = len(self.world.calls)
        self.report = self.bench.run(self.version, force=False)
        return self.trace(self.report, since=before)

    def run_until_killed(self) -> None:
        """The run until the trouble kills its process; afterwards the world works again, for another one."""
        with pytest.raises(Killed):
            self.bench.run(self.version, force=False)
        self.world.script.revive()

    def take_up(self, mode: Mode, plan: Plan | None = None) -> RunReport:
        """What another process does with the run that was cut off: ``orchestrator resume`` or ``recover``."""
        way = Takeover(plan or self.bench.plan, KINDS, make_ports(self.world, operator=self.operator))
        report = way.take_up(mode, announce=lambda run, move: None, listener=self.watch)
        assert report is not None, "no run is unfinished"
        return report

    def trace(self, report: RunReport, *, since: int = 0) -> Trace:
        """What was done since effect number ``since``, and the end."""
        run = report.run
        assert run.verdict is not None
        assert run.exit_code is not None
        return Trace(
            tuple(self.bench.recorder.path),
            tuple(self.world.calls[since:]),
            run.verdict,
            run.exit_code,
            serving_version(self.world),
        )

    def notes(self, report: RunReport) -> list[str]:
        """What the journal notes beside what happened."""
        with closing(Journal.open(self.bench.plan.journal_directory)) as journal:
            return [
                str(record.payload["text"]) for record in journal.records(report.run.id) if record.record == "noted"
            ]

    def check_end(self, report: RunReport, where: str) -> None:
        """What holds whatever happened: nothing is lost, one version serves that fits, nothing of ours is left."""
        world, verdict = self.world, report.run.verdict
        assert verdict in _SERVING, f"{where}: {verdict}: {report.run.reason}"
        assert serving_version(world) == _SERVING[verdict], where
        assert world.pin.partition("@")[0] in {_SERVING[verdict], self.edited_pin}, where
        assert world.containers["app"].restart_policy == self.policy, where
        known = {world.live, *report.quarantine, *([report.snapshot] if report.snapshot else [])}
        assert set(world.databases) <= known, f"{where}: nobody knows of {set(world.databases) - known}"
        rows = {row for database in world.databases.values() for row in database.tables[world.user_table]}
        assert not [entry for entry in world.acknowledged if entry not in rows], where
        assert not world.databases[world.live].fenced, where
        assert world.jobs == {}, where
        assert world.stages == {}, where
