"""The promise of each code of the table: the ends it allows, defined once for all its cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.core.model.verdict import Verdict
from orchestrator.core.state_kind import CrashRule
from orchestrator.machine.resume import Mode
from orchestrator.reports.report import RunReport
from states.registry import KINDS
from tests.faults.matrix.scene import Scene, Trace
from tests.tools.runbook_shapes import tell_unproven
from tests.tools.script import Call

_TIME = re.compile(r"\d{4}-\d\d-\d\d_\d{6}")
_SIGNALLED = frozenset({130, 143})
#: What an upgrade that is refused may have done: files, images and stages of its own, nothing to the app.
_CHANGES_NOTHING = (
    "workloads.freeze",
    "images.pull",
    "images.keep",
    "workloads.end_jobs",
    "database.end_abandoned",
    "backups.",
    "stage.",
)
_GOES_ON_UNWATCHED = frozenset({CrashRule.JUDGE, CrashRule.FORWARD, CrashRule.REPEAT})


@dataclass(frozen=True)
class End:
    """How a run ended that met a fault: by itself, or ``taken_up`` after it was cut off; ``usual`` is without it."""

    where: str
    scene: Scene
    report: RunReport
    usual: Trace
    taken_up: Mode | None = None

    @property
    def trace(self) -> Trace:
        """What was done, and the end."""
        return self.scene.trace(self.report)

    def __str__(self) -> str:
        by = f", then {self.taken_up.value}" if self.taken_up else ""
        run = self.report.run
        return f"{self.where}{by}: {run.verdict}, exit code {run.exit_code}: {run.reason}"


def keep_promise(promise: str, end: End) -> None:
    """See that the end is one of those that the code of the cell allows, and that the world is in order."""
    assert any(_ALLOWED[code](end) for code in promise.split("/")), f"{promise} is not kept {end}"
    end.scene.check_end(end.report, str(end))
    if end.report.run.verdict is not Verdict.COMMITTED:
        assert end.report.run.reason, f"nothing is said {end}"
        assert end.report.next_steps, f"nothing is said {end}"
    if end.report.run.verdict is Verdict.NEEDS_OPERATOR:
        assert not tell_unproven(end.report.next_steps), f"{tell_unproven(end.report.next_steps)} {end}"


def _is_usual(end: End) -> bool:
    return (end.trace.verdict, end.trace.exit_code, end.trace.serving) == end.usual[2:]


def _is_same(end: End) -> bool:
    return _timeless(end.trace) == _timeless(end.usual)


def _uses_what_was_confirmed(end: End) -> bool:
    trace, usual = end.trace, end.usual
    methods = [call.method for call in trace.effects] == [call.method for call in usual.effects]
    return methods and trace.path == usual.path and _is_usual(end)


def _timeless(trace: Trace) -> Trace:
    """Names of files tell the time of day."""
    effects = (Call(method, tuple(_TIME.sub("…", one) for one in arguments)) for method, arguments in trace.effects)
    return trace._replace(effects=tuple(effects))


def _is_refused(end: End) -> bool:
    changed = [name for name in end.scene.world.chain() if not name.startswith(_CHANGES_NOTHING)]
    code = end.report.run.exit_code
    return end.report.run.verdict is Verdict.REFUSED and (code == 10 or code in _SIGNALLED) and not changed


def _is_back(end: End) -> bool:
    return (end.report.run.verdict, end.report.run.exit_code) == (Verdict.ROLLED_BACK, 20)


def _is_undone(end: End) -> bool:
    return _is_back(end) and "database.swap" not in end.scene.world.chain() and not end.report.quarantine


def _goes_on(end: End) -> bool:
    rule = KINDS[end.scene.state].crash_rule
    if end.taken_up is Mode.RESUME or rule in _GOES_ON_UNWATCHED:
        return _is_usual(end)
    if rule is CrashRule.RESTORE:
        return _is_usual(end) or _is_back(end)
    return _is_refused(end) or _is_undone(end)


def _is_left_or_over(end: End) -> bool:
    """Left for `recover`; or the signal came so late that nothing was left to do but what it does not cut off."""
    return _goes_on(end) if end.taken_up else _is_usual(end)


def _is_forward(end: End) -> bool:
    return (end.report.run.verdict, end.report.run.exit_code) == (Verdict.COMMITTED, 0)


_ALLOWED: Mapping[str, Callable[[End], bool]] = {
    "A": _is_refused,
    "P": _goes_on,
    "U": _is_undone,
    "R": _is_back,
    "C": _is_back,
    "D": _is_same,
    "K": _is_left_or_over,
    "F": _is_forward,
    "W": _is_usual,
    "L": _is_same,
    "S": _uses_what_was_confirmed,
    "ok": _is_same,
    "o": _is_same,
}
