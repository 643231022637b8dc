"""Write the measurements of a soak as tables, with those that break a bound."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.soak.course import NOT_BEGUN
from tests.soak.harm import Blow
from tests.soak.kept import COMMITTED
from tests.soak.operation import Landed
from tests.soak.rounds import OPENS_GATE, Kind, Step

_HEADINGS = ("kind", "runs", "hit", "acknowledged", "aside", "missing", "outage min", "median", "max")
_CODES = {"committed": {0}, "rolled_back": {20}, "refused": {10, 130, 143}}


@dataclass
class Ran:
    """One operation as seen from outside. ``served`` is the version before and after it.

    ``aside`` are acknowledged entries that only its quarantine still has; ``landed`` is what it was hit by, and
    ``takings`` how often it was taken up.
    """

    step: Step
    verdict: str
    exit_code: int
    unreachable_s: float
    served: tuple[str, str]
    acknowledged: int = 0
    aside: int = 0
    missing: int = 0
    landed: list[Landed] = field(default_factory=list)
    takings: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Sentences; none where all is well."""
        found = [*self.differences, *(self._judge_harmed() if self.landed else self._judge_undisturbed())]
        before, after = self.served
        expected = self.step.release if self.verdict == COMMITTED else before
        if after != expected:
            found.append(f"{after} serves after it ended {self.verdict}, not {expected}")
        if self.missing:
            found.append(f"{self.missing} acknowledged entries are missing")
        return found

    @property
    def may_set_aside(self) -> bool:
        """Whether users could save anything that a way back takes from them: they were told so, or let in too early."""
        told = self.step.kind is Kind.ROLLBACK and self.verdict == COMMITTED
        return told or self.step.kind in OPENS_GATE or any(one.blow is Blow.APP for one in self.landed)

    def _judge_undisturbed(self) -> list[str]:
        if (self.verdict, self.exit_code) == self.step.expected:
            return []
        return [f"it ended {self.verdict} ({self.exit_code}), not {self.step.expected[0]}"]

    # Where it was hit decides which of the ends it takes; that it is a named one, and not the good one of a bad
    # release, must hold for all of them.
    def _judge_harmed(self) -> list[str]:
        if self.verdict == NOT_BEGUN:
            return []
        possible = {"rolled_back", "refused", *({COMMITTED} if self.step.expected[0] == COMMITTED else ())}
        if self.verdict in possible and self.exit_code in _CODES[self.verdict]:
            return []
        return [f"it ended {self.verdict} ({self.exit_code}), which is none of {', '.join(sorted(possible))}"]


def build_table(ran: Sequence[Ran]) -> str:
    """One line a kind, and the sum."""
    rows = [_row(kind.value, [one for one in ran if one.step.kind is kind]) for kind in Kind]
    return _lay_out([_HEADINGS, *rows, _row("all", ran)])


def build_blows(ran: Sequence[Ran]) -> str:
    """One line a state in which something hit, first those of the way forward; the sum."""
    landed = [hit for one in ran for hit in one.landed]
    states = dict.fromkeys(hit.state for hit in landed)
    rows = [_count_blows(state, [hit for hit in landed if hit.state == state]) for state in states]
    headings = ("hit in", *(blow.value for blow in Blow), "all", "of a recovery")
    return _lay_out([headings, *rows, _count_blows("all", landed)])


def build_ends(ran: Sequence[Ran]) -> str:
    """One line a kind, of the operations that were hit: how they ended."""
    harmed = [one for one in ran if one.landed]
    verdicts = (*_CODES, NOT_BEGUN)
    others = tuple(sorted({one.verdict for one in harmed} - {*verdicts}))
    rows = []
    for kind in (*Kind, None):
        counted = Counter(one.verdict for one in harmed if kind in (one.step.kind, None))
        rows.append((kind.value if kind else "all", *(str(counted[name]) for name in (*verdicts, *others))))
    return _lay_out([("hit, and ended", *verdicts, *others), *rows])


def _row(name: str, ran: Sequence[Ran]) -> tuple[str, ...]:
    outages = [one.unreachable_s for one in ran] or [0.0]
    return (
        name,
        str(len(ran)),
        str(sum(1 for one in ran if one.landed)),
        str(sum(one.acknowledged for one in ran)),
        str(sum(one.aside for one in ran)),
        str(sum(one.missing for one in ran)),
        f"{min(outages):.2f} s",
        f"{median(outages):.2f} s",
        f"{max(outages):.2f} s",
    )


def _count_blows(name: str, landed: Iterable[Landed]) -> tuple[str, ...]:
    hits = list(landed)
    counted = Counter(hit.blow for hit in hits)
    taken_up = sum(1 for hit in hits if hit.command in ("recover", "resume"))
    return (name, *(str(counted[blow]) for blow in Blow), str(len(hits)), str(taken_up))


def _lay_out(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
