"""One JSON document a line for each event of a run, for programs; `docs/output.md` describes them."""

import json
from typing import Any, TextIO

import click

from orchestrator.core.facts import Facts
from orchestrator.core.model.progress import Progress
from orchestrator.core.ports.clock import Clock
from orchestrator.live.display import ProgressDisplay
from orchestrator.live.rate import Pace
from orchestrator.machine.machine import choose_forward
from orchestrator.plan.schema import Plan
from orchestrator.reports.report import Outage, find_outage

SCHEMA = 1
_EVERY_S = 0.5


def build_event(event: str, **values: Any) -> dict[str, Any]:
    """An event as a document."""
    return {"schema": SCHEMA, "event": event, **values}


class EventDisplay(ProgressDisplay):
    """Writes to ``stream``; progress and log lines at most twice a second, all else as it happens."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._pace: Pace | None = None
        self._outage: Outage | None = None
        self._line = ""
        self._told: dict[str, float] = {}

    def began(self, run_id: str, plan: Plan, facts: Facts) -> None:
        """A run begins, or is taken up."""
        self._tell("began", run=run_id, plan=plan.name, path=list(choose_forward(plan)))
        self.learned(facts)

    def entered(self, state: str, kind: str) -> None:
        """A state begins."""
        self._pace, self._line, self._told = None, "", {}
        self._tell("entered", state=state, kind=kind)

    def progressed(self, state: str, progress: Progress) -> None:
        """How far it is."""
        at = self._clock.monotonic()
        before, self._pace = self._pace, self._pace.followed_by(progress, at) if self._pace else Pace.of(progress, at)
        new = before is None or before.progress.label != progress.label
        if self._is_time("progress", at, anyway=new or progress.done == progress.total):
            remaining = self._pace.remaining_s(at)
            left = None if remaining is None else round(remaining, 1)
            self._tell("progress", state=state, **progress.model_dump(), remaining_s=left)

    def said(self, state: str, line: str) -> None:
        """What works for it has said something else."""
        if line != self._line and self._is_time("said", self._clock.monotonic()):
            self._line = line
            self._tell("said", state=state, line=line)

    def learned(self, facts: Facts) -> None:
        """The app went down, or was seen to serve again."""
        outage = find_outage(facts)
        if outage is not None and outage != self._outage:
            ended_at = outage.ended_at.isoformat() if outage.ended_at else None
            self._tell("outage", began_at=outage.began_at.isoformat(), ended_at=ended_at, seconds=outage.seconds)
        self._outage = outage

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None:
        """It is over."""
        self._tell("left", state=state, outcome=outcome, seconds=seconds, reason=reason)

    def _is_time(self, event: str, at: float, *, anyway: bool = False) -> bool:
        due = anyway or at - self._told.get(event, at - _EVERY_S) >= _EVERY_S
        if due:
            self._told[event] = at
        return due

    def _tell(self, event: str, **values: Any) -> None:
        at = self._clock.now().isoformat()
        click.echo(json.dumps(build_event(event, at=at, **values)), file=self._stream)
