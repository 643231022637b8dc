"""What there is to be seen of a run at one moment; a value, so that who draws it never meets it half changed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.core.facts import Current, Facts, TargetRelease
from orchestrator.core.model.progress import Progress
from orchestrator.live.rate import Pace
from orchestrator.machine.machine import follow
from orchestrator.plan.schema import Plan
from orchestrator.redaction.terminal_text import sanitize
from orchestrator.reports.report import Outage, find_outage


@dataclass(frozen=True)
class View:
    """``since`` is when ``state`` was entered and ``began`` when the run was, in monotonic seconds.

    ``state`` is empty between two states, ``line`` is the newest one of what works for it.
    """

    plan: Plan
    began: float
    state: str = ""
    since: float = 0.0
    waiting: tuple[str, ...] = ()
    pace: Pace | None = None
    line: str = ""
    versions: str = ""
    outage: Outage | None = None

    @classmethod
    def of(cls, plan: Plan, facts: Facts, at: float) -> View:
        """A run that begins, or is taken up."""
        return cls(plan, at).learned(facts)

    def entered(self, state: str, at: float) -> View:
        """A state begins; what waits behind it is its way when all goes well."""
        waiting = tuple(name for name in follow(self.plan, state)[1:] if name in self.plan.states)
        return replace(self, state=state, since=at, waiting=waiting, pace=None, line="")

    def progressed(self, progress: Progress, at: float) -> View:
        """It is so far."""
        pace = self.pace.followed_by(progress, at) if self.pace else Pace.of(progress, at)
        step_begins = self.pace is None or self.pace.progress.label != progress.label
        return replace(self, pace=pace, line="" if step_begins else self.line)

    def said(self, line: str) -> View:
        """What works for it has said something."""
        heard = sanitize(line.replace("\t", " ")).strip().splitlines()
        return replace(self, line=heard[-1]) if heard and heard[-1] != self.line else self

    def learned(self, facts: Facts) -> View:
        """Something is proven."""
        current, target = facts.find(Current), facts.find(TargetRelease)
        names = [one for one in (current and current.version, target and target.release.version) if one]
        versions = " → ".join(dict.fromkeys(name.removeprefix("v") for name in names))
        return replace(self, versions=versions, outage=find_outage(facts))

    def left(self) -> View:
        """It is over; what waits is not known before the next one begins."""
        return replace(self, state="", pace=None, line="")
