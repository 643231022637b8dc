"""Compare the demo's measurements with the expected ones, as a table."""

from collections.abc import Sequence
from dataclasses import dataclass, field

EXPECTED = {
    ("1.1.0", True): ("committed", 0),
    ("1.2.0", True): ("refused", 10),
    ("1.3.0", True): ("refused", 10),
    ("1.4.0", True): ("refused", 10),
    ("1.2.0", False): ("rolled_back", 20),
    ("1.3.0", False): ("rolled_back", 20),
    ("1.4.0", False): ("rolled_back", 20),
}
"""Verdict and exit code of the upgrade to each release of the ledger, with and without a rehearsal, in this order."""

_HEADINGS = ("upgrade", "rehearsed", "verdict", "exit", "unreachable", "saved", "set aside", "lost")


@dataclass(slots=True)
class Upgrade:
    """One run as seen from outside; `ended` is `time.monotonic()`, entries are those of the writer until then."""

    serving: str
    release: str
    rehearsed: bool
    verdict: str
    exit_code: int
    unreachable_s: float
    ended: float = 0.0
    acknowledged: int = 0
    in_quarantine: int = 0
    lost: int = 0
    quarantine: list[str] = field(default_factory=list)


def build_table(upgrades: Sequence[Upgrade]) -> str:
    """Build the table for a terminal of 80 columns."""
    rows = [_HEADINGS, *(_cells(upgrade) for upgrade in upgrades)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def find_differences(upgrades: Sequence[Upgrade]) -> list[str]:
    """Sentences, one for each thing that is not as it must be; empty when all is well."""
    found = []
    if [(upgrade.release, upgrade.rehearsed) for upgrade in upgrades] != list(EXPECTED):
        found.append(f"the upgrades were to {', '.join(upgrade.release for upgrade in upgrades) or 'nothing'}")
    for upgrade in upgrades:
        seen, expected = (upgrade.verdict, upgrade.exit_code), EXPECTED.get((upgrade.release, upgrade.rehearsed))
        if expected and seen != expected:
            found.append(f"the upgrade to {upgrade.release} ended {seen}, not {expected}")
        if upgrade.verdict == "refused" and upgrade.unreachable_s:
            found.append(f"users were without the app while the upgrade to {upgrade.release} was refused")
        if upgrade.lost:
            found.append(f"the upgrade to {upgrade.release} lost {upgrade.lost} acknowledged entries")
        if not upgrade.acknowledged:
            found.append(f"no entry was acknowledged around the upgrade to {upgrade.release}")
    return found


def _cells(upgrade: Upgrade) -> tuple[str, ...]:
    return (
        f"{upgrade.serving} → {upgrade.release}",
        "yes" if upgrade.rehearsed else "no",
        upgrade.verdict.replace("_", " "),
        str(upgrade.exit_code),
        f"{upgrade.unreachable_s:.2f} s",
        str(upgrade.acknowledged),
        str(upgrade.in_quarantine),
        str(upgrade.lost),
    )


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    words, numbers = row[:3], row[3:]
    return [word.ljust(width) for word, width in zip(words, widths[:3], strict=True)] + [
        number.rjust(width) for number, width in zip(numbers, widths[3:], strict=True)
    ]
