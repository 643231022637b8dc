"""What a soak has measured, as a table, and what of it is not as it must be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.soak.rounds import Kind, Step

_HEADINGS = ("kind", "runs", "acknowledged", "aside", "missing", "outage min", "median", "max")


@dataclass
class Ran:
    """One run as seen from outside. ``aside`` are acknowledged entries that only its quarantine still has."""

    step: Step
    verdict: str
    exit_code: int
    unreachable_s: float
    acknowledged: int = 0
    aside: int = 0
    missing: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Sentences; none where all is well."""
        found = list(self.differences)
        if (self.verdict, self.exit_code) != self.step.expected:
            found.append(f"it ended {self.verdict} ({self.exit_code}), not {self.step.expected[0]}")
        if self.missing:
            found.append(f"{self.missing} acknowledged entries are missing")
        return found


def build_table(ran: Sequence[Ran]) -> str:
    """One line a kind, and the sum."""
    rows = [_HEADINGS]
    rows += [_row(kind.value, [one for one in ran if one.step.kind is kind]) for kind in Kind]
    rows.append(_row("all", ran))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _row(name: str, ran: Sequence[Ran]) -> tuple[str, str, str, str, str, str, str, str]:
    outages = [one.unreachable_s for one in ran] or [0.0]
    return (
        name,
        str(len(ran)),
        str(sum(one.acknowledged for one in ran)),
        str(sum(one.aside for one in ran)),
        str(sum(one.missing for one in ran)),
        f"{min(outages):.2f} s",
        f"{median(outages):.2f} s",
        f"{max(outages):.2f} s",
    )
