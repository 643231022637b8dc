"""Looks at real runs of the engine on the fakes and says which rule each has broken; knows nothing of the checker.

What it sees are containers, databases and rows, the calls that changed them, and which states were entered and left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.model.verdict import Verdict
from orchestrator.core.state_kind import StateKind
from orchestrator.plan.schema import Plan
from tests.tools.script import Script
from tests.tools.world import FakeWorld

OLD, NEW = "v1.0.0", "v1.1.0"
OLD_SCHEMA, NEW_SCHEMA = 1, 2

_TOUCHES_APP = frozenset({"workloads.stop_services", "workloads.start_services", "workloads.write_pin"})
_NEEDS_QUIET = frozenset({"database.copy", "workloads.start_job", "database.swap"})
_ENDS_A_COMMIT = frozenset({"stop", "migrate", "restore", "rollback", "commit"})
_ASKED = frozenset({"preflight", "confirm", "rehearse"})
_SUCCESS: Mapping[str, str] = {"check": "newer", "confirm": "accepted"}


@dataclass
class WatchedScript(Script):
    """Tells of each effect before and after it."""

    before: Callable[[str], None] = lambda _method: None
    after: Callable[[str], None] = lambda _method: None

    @contextmanager
    def effect(self, method: str, *arguments: str) -> Iterator[None]:
        self.before(method)
        with super().effect(method, *arguments):
            yield
        self.after(method)


@dataclass
class Witness:
    """One run. ``broken``: numbers of the rules, in the order in which they were seen to be broken."""

    plan: Plan
    kinds: Mapping[str, type[StateKind[Any]]]
    world: FakeWorld
    broken: list[str] = field(default_factory=list)
    visited: list[str] = field(default_factory=list)
    hit: bool = False  # somebody has made the state fail that is at work
    disturbed: bool = False  # a reboot, or a step of the operator's own, has stopped what ran
    _old_entries: list[str] = field(default_factory=list)
    _committed: bool = False
    _healthy: bool = False
    _backed_up: bool = False
    _touched: bool = False
    _back: bool = False
    _retreating: bool = False
    _asked_for_newer: str = ""
    _denied: set[str] = field(default_factory=set)
    _last: tuple[str, str] | None = None

    # --- what the engine tells

    def arrive(self, name: str) -> None:
        """A transition has led to a state; one that is entered again after a kill was arrived at before."""
        spec = self.plan.states[name]
        kind = self.kinds[spec.kind]
        changes = getattr(spec.options, "changes", "")
        self._retreating |= kind.compensation
        idle = spec.kind == "command" and changes == "nothing"
        self._note("G6", self._retreating and not kind.compensation and not idle)
        self._note("G3", self._committed and (spec.kind in _ENDS_A_COMMIT or changes == "database"))
        self._note("G8", spec.kind == "cleanup" and not self._committed)
        going_on = spec.kind in ("stop", "migrate", "start", "commit") or changes in ("app", "database")
        self._note("F2", going_on and bool(self._denied))
        late = self._committed or self.schema != OLD_SCHEMA
        self._note("G9", spec.kind == "pull" and bool(getattr(spec.options, "network", False)) and late)

    def entered(self, state: str, kind: str) -> None:
        self.visited.append(state)
        self.hit = False

    def progressed(self, state: str, progress: object) -> None: ...

    def begin(self, name: str) -> None:
        """A state is prepared and begins to work."""
        spec = self.plan.states[name]
        if spec.kind == "commit":
            self._note("X13", not self._healthy)
            self._committed = True
        self._touched |= getattr(spec.options, "changes", "") in ("app", "database")
        if spec.kind == "start":
            self._healthy = False
        if spec.kind == "migrate" or getattr(spec.options, "changes", "") == "database":
            self._note("G4", not self._backed_up and self.schema == OLD_SCHEMA)
            self._note("X4", self.app_runs)

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None:
        self.save()
        kind = self.plan.states[state].kind
        well = outcome == _SUCCESS.get(kind, "done")
        self._backed_up |= well and kind == "backup"
        self._healthy |= well and kind == "health"
        self._back |= well and kind == "rollback"
        self._asked_for_newer = outcome if kind == "check" else self._asked_for_newer
        if kind in _ASKED:
            (self._denied.discard if well else self._denied.add)(kind)
        # The release is good: what fails by itself lacked something, unless a reboot has taken it away.
        excused = self.hit or self.disturbed or outcome == "exhausted"
        self._note("F1", not well and not excused)
        self._last = (state, outcome)
        target = self.plan.states[state].then[outcome]
        if target in self.plan.states:
            self.arrive(target)

    # --- what happens to the world

    def before(self, method: str) -> None:
        self.save()
        self._touched |= method in _TOUCHES_APP or method in _NEEDS_QUIET
        self._note("X4", method in _NEEDS_QUIET and self.app_runs)

    def after(self, method: str) -> None:
        self.save()
        if method == "workloads.start_services":
            version, wanted = self.version, {OLD: OLD_SCHEMA, NEW: NEW_SCHEMA}
            self._note("X3", self.schema != wanted[version])
        if method == "database.swap":
            self._note("X2", bool(self._missing()))

    def save(self) -> None:
        """Users save something, where they reach a version."""
        serving = self.world.serving()
        if serving is not None and self.world.users_write(1) and serving.version == OLD:
            self._old_entries.append(self.world.acknowledged[-1])

    # --- how it ends

    def judge(self, verdict: Verdict | None) -> None:
        serving = self.world.serving()
        version = serving.version if serving else None
        if verdict is None or verdict is Verdict.INTERNAL_ERROR:
            self._note("F1", broken=True)
        elif verdict is Verdict.NEEDS_OPERATOR:
            self._judge_alarm(version)
        else:
            self._note("X2", bool(self._missing()))
            self._note("X1", version is None)
            self._note("X13", version is not None and not self._is_so(verdict, version))

    def _judge_alarm(self, version: str | None) -> None:
        name, outcome = self._last or ("", "")
        tried = bool(name) and (self._goes_back(name) or self.plan.states[name].kind == "commit")
        served = version is not None and outcome == "done"
        excused = self._committed or served or (tried and outcome != "done")
        self._note("X7", self._touched and not excused)

    def _is_so(self, verdict: Verdict, version: str) -> bool:
        if verdict is Verdict.COMMITTED:
            return version == NEW and self._healthy and self.world.pin.startswith(NEW)
        if verdict is Verdict.ROLLED_BACK:
            return version == OLD and self.world.pin.startswith(OLD) and self._back
        if verdict is Verdict.UP_TO_DATE:
            return self._asked_for_newer == "current" and not self._touched
        return not self._touched

    # --- looks

    @property
    def schema(self) -> object:
        live = self.world.databases[self.world.live]
        return "torn" if live.torn else live.schema

    @property
    def app_runs(self) -> bool:
        container = self.world.containers.get("app")
        return container is not None and container.state == "running"

    @property
    def version(self) -> str:
        release = self.world.containers["app"].image.release
        return release.version if release else ""

    def _missing(self) -> list[str]:
        there = set(self.world.databases[self.world.live].tables[self.world.user_table])
        return [entry for entry in self._old_entries if entry not in there]

    def _goes_back(self, name: str) -> bool:
        return self.kinds[self.plan.states[name].kind].compensation

    def _note(self, rule: str, broken: bool) -> None:
        if broken:
            self.broken.append(rule)
