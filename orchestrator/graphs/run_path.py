"""Read the path that a run took through its plan from its records."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.core.model.verdict import Verdict
from orchestrator.core.state_kind import FAILED, TIMEOUT
from orchestrator.journal.journal import Record, Run
from orchestrator.plan.durations import format_duration

_LONG_S = 100.0  # from here on nobody counts hundredths


@dataclass(frozen=True)
class Visit:
    """One stay in a state; ``outcome`` and ``to`` are empty where it was not left."""

    state: str
    outcome: str
    to: str
    seconds: float | None


@dataclass(frozen=True)
class RunPath:
    """Path of a run. ``verdict`` is None for a run without an end; ``stuck`` is the state in which it is or stopped."""

    run_id: str
    verdict: Verdict | None
    visits: tuple[Visit, ...]
    stuck: str | None

    @property
    def steps(self) -> tuple[tuple[str, str], ...]:
        """(state, state) in the order of the run, each once."""
        return tuple(dict.fromkeys((visit.state, visit.to) for visit in self.visits if visit.to))

    @property
    def states(self) -> frozenset[str]:
        """States and ends that the run reached."""
        return frozenset(name for visit in self.visits for name in (visit.state, visit.to) if name)

    def went_wrong(self, state: str) -> bool:
        """Whether the last stay in a state ended in failure."""
        stays = [visit.outcome for visit in self.visits if visit.state == state]
        return bool(stays) and stays[-1] in (FAILED, TIMEOUT)

    def tell_time(self, state: str) -> str:
        """Tell how long the run was in a state, all stays together; empty if it never was."""
        stays = [visit for visit in self.visits if visit.state == state]
        if not stays:
            return ""
        if stays[-1].seconds is None:
            return "at work" if self.verdict is None else "cut off"
        times = f" in {len(stays)} stays" if len(stays) > 1 else ""
        return f"{_tell_seconds(sum(visit.seconds or 0.0 for visit in stays))}{times}"

    @property
    def title(self) -> str:
        """The run in a few words."""
        ended = self.verdict.value.replace("_", " ") if self.verdict else f"in {self.stuck}, without an end"
        return f"run {self.run_id}: {ended}"


def read_run_path(run: Run, records: Sequence[Record]) -> RunPath:
    """Read the path of a run, as far as it came."""
    visits: list[Visit] = []
    for record in records:
        if record.record == "entered":
            visits.append(Visit(record.state, "", "", None))
        elif record.record == "left":
            if visits and visits[-1].state == record.state and not visits[-1].outcome:
                visits.pop()
            payload = record.payload
            visits.append(Visit(record.state, payload["outcome"], payload["to"], payload["seconds"]))
    return RunPath(run.id, run.verdict, tuple(visits), _find_stuck(run, visits))


def _find_stuck(run: Run, visits: Sequence[Visit]) -> str | None:
    if not visits:
        return None
    if run.verdict is None:
        return visits[-1].to or visits[-1].state
    return visits[-1].state if run.verdict in (Verdict.NEEDS_OPERATOR, Verdict.INTERNAL_ERROR) else None


def _tell_seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < _LONG_S else format_duration(round(seconds))
