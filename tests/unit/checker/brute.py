"""Runs of the real engine with the real kinds on the fakes, each with faults at chosen places."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

from orchestrator.core.errors import DeadlineExceededError, OrchestratorError, RefusedError
from orchestrator.core.facts import Fact
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.core.state_kind import TIMEOUT, Result, StateContext, StateKind
from orchestrator.machine.resume import Mode
from orchestrator.plan.schema import Plan
from orchestrator.reports.report import RunReport
from orchestrator.run.listener import Listener
from orchestrator.run.recovery import Takeover
from orchestrator.run.service import Service
from states.registry import KINDS
from tests.tools.build import announce_up_to, make_ports, make_world
from tests.tools.script import Killed
from tests.tools.world import FakeWorld
from tests.unit.checker.witness import NEW, NEW_SCHEMA, WatchedScript, Witness

Work = Callable[[], RunReport | None]
Point = Literal["way in", "prepare", "begin", "effect", "end"]


@dataclass(frozen=True)
class Fault:
    """What goes wrong in a state: at which ``point``, behind its effect ``number`` for ``effect``; with which
    ``outcome``, or, ``mode`` given, a kill, ``reboots``: of the whole host, and how the run is taken up then.
    """

    state: str
    point: Point
    outcome: str = "failed"
    number: int = 0
    mode: Mode | None = None
    reboots: bool = False


@dataclass
class Trial(Listener):
    """One run of a plan with some faults, and what its witness has seen."""

    plan: Plan
    faults: tuple[Fault, ...]
    folder: Path

    def __post_init__(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.world = _make_quick_world(self.folder)
        self.plan = _at_home(self.plan, self.world)
        self._waiting = list(self.faults)
        self._kinds = {name: _wrap(kind, self) for name, kind in KINDS.items()}
        self.witness = Witness(self.plan, KINDS, self.world)
        self.script = WatchedScript(before=self.witness.before, after=self._after)
        self.world.script = self.script
        self.world.host_commands["./step"] = self._take_step
        self._fuse: tuple[int, Fault] | None = None
        self._state = ""

    def run(self) -> Witness:
        """Run it to its end, taking it up as often as it is killed."""
        self.witness.save()
        self.witness.arrive(self.plan.initial)
        service = Service(self.plan, self._kinds, make_ports(self.world))
        work: Work = partial(service.run, ReleaseRequest(), assume_yes=True, listener=self)
        for _ in range(len(self.faults) + 1):
            try:
                with patch("orchestrator.run.service.require_safe"):  # what it would refuse is what is tried here
                    report = work()
            except Killed:
                work = self._revive()
                continue
            except OrchestratorError:
                self.witness.judge(None)
                return self.witness
            self.witness.judge(report.run.verdict if report else None)
            return self.witness
        raise AssertionError("killed more often than planned")

    def _revive(self) -> Work:
        fault = self._struck
        self.script.revive()
        self.world.clock.advance(1)
        if fault.reboots:
            self.world.reboot()
            self.witness.disturbed = True
        self.witness.save()
        way = Takeover(self.plan, self._kinds, make_ports(self.world))
        return partial(way.take_up, fault.mode or Mode.RECOVER, announce=lambda *_: None, listener=self)

    # --- as the listener of the run

    def entered(self, state: str, kind: str) -> None:
        self._state = state
        self.witness.entered(state, kind)

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None:
        self.witness.left(state, outcome, reason, seconds)
        target = self.plan.states[state].then[outcome]
        self._strike(target, "way in")

    # --- around a state

    def prepare(self, ctx: StateContext[Any], work: Any) -> tuple[Fact, ...]:
        self._strike(ctx.state, "prepare")
        prepared: tuple[Fact, ...] = work(ctx)
        return prepared

    def perform(self, ctx: StateContext[Any], work: Any) -> Result:
        self.witness.begin(ctx.state)
        asked = self._strike(ctx.state, "begin")
        if asked is not None:
            return Result(asked, (ctx.ports.finder.running(),) if asked == "current" else ())
        self._bring_image(ctx.state)
        before = len(self.script.calls)
        fault = self._find(ctx.state, "effect")
        self._fuse = (before + fault.number, fault) if fault else None
        try:
            result: Result = work(ctx)
        finally:
            self._fuse = None
        self._strike(ctx.state, "end")
        return result

    def _bring_image(self, state: str) -> None:
        """Who writes a plan that only looks for the image has brought it by hand."""
        release = self.world.releases[NEW]
        there = self.world.find_image(release.image_id) is not None
        if not getattr(self.plan.states[state].options, "network", True) and not there:
            self.world.add_image(release)

    def _take_step(self, _environment: Mapping[str, str]) -> int:
        changes = getattr(self.plan.states[self._state].options, "changes", "nothing")
        container = self.world.containers["app"]
        if changes == "database":
            self.world.databases[self.world.live].schema = NEW_SCHEMA
        elif changes == "app" and container.state == "running":
            self.witness.disturbed = True
            container.state, container.restart_policy = "exited", "no"
        elif changes == "app":
            container.restart_policy = self.world.restart_policy
            self.world.start_container(container)
        return 0

    def _after(self, method: str) -> None:
        self.witness.after(method)
        if self._fuse is not None and len(self.script.calls) >= self._fuse[0]:
            fault, self._fuse = self._fuse[1], None
            self._hit(fault)

    def _find(self, state: str, point: Point) -> Fault | None:
        found = next((fault for fault in self._waiting if (fault.state, fault.point) == (state, point)), None)
        if found is not None:
            self._waiting.remove(found)
        return found

    def _strike(self, state: str, point: Point) -> str | None:
        fault = self._find(state, point)
        return None if fault is None else self._hit(fault)

    def _hit(self, fault: Fault) -> str | None:
        self.witness.hit = True
        if fault.mode is not None:
            self._struck = fault
            self.script._dead = True
            raise Killed
        if fault.point == "effect" and getattr(self.plan.states[fault.state].options, "changes", "") == "database":
            self.world.databases[self.world.live].schema = "half done"
        if fault.outcome == TIMEOUT:
            raise DeadlineExceededError("test.timeout", "Its time is over.")
        if fault.outcome != "failed":
            return fault.outcome
        raise RefusedError("test.failed", "It fails.")


def _wrap(kind: type[StateKind[Any]], trial: Trial) -> type[StateKind[Any]]:
    def prepare(self: StateKind[Any], ctx: StateContext[Any]) -> tuple[Fact, ...]:
        return trial.prepare(ctx, lambda ctx: kind.prepare(self, ctx))

    def perform(self: StateKind[Any], ctx: StateContext[Any]) -> Result:
        return trial.perform(ctx, lambda ctx: kind.perform(self, ctx))

    return type(kind.__name__, (kind,), {"prepare": prepare, "perform": perform})


def _make_quick_world(folder: Path) -> FakeWorld:
    world = make_world(folder)
    for release in world.releases.values():
        release.healthy_after_s = 0.0
    announce_up_to(world, NEW)
    return world


def _at_home(plan: Plan, world: FakeWorld) -> Plan:
    health = plan.target.health.model_copy(update={"steady_for_s": 0.1})
    target = plan.target.model_copy(update={"project": world.project_directory, "health": health})
    return replace(plan, target=target, journal_directory=world.project_directory / ".orchestrator")
