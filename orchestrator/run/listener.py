"""The events of a run, as they happen."""

from orchestrator.core.facts import Facts
from orchestrator.core.model.progress import Progress
from orchestrator.plan.schema import Plan


class Listener:
    """Hears of each event and does nothing; a subclass overrides the events that it shows. No method may raise."""

    def began(self, run_id: str, plan: Plan, facts: Facts) -> None:
        """A run begins, or is taken up with what it had proven before it was cut off."""

    def entered(self, state: str, kind: str) -> None:
        """A state begins."""

    def progressed(self, state: str, progress: Progress) -> None:
        """Report how far a state is."""

    def said(self, state: str, line: str) -> None:
        """Report the newest line of the program that a state runs, or of what it waits for; raw, as it came."""

    def learned(self, facts: Facts) -> None:
        """Report all facts that are proven by now; they are durable already."""

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None:
        """A state is over."""
