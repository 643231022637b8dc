"""Measure how long users are without the app: orchestrator, script and floor side by side, for each end of an
upgrade.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmarks.contenders import (
    CAREFUL_SCRIPT,
    COMMITTED,
    FLOOR,
    MIGRATION_FAILED,
    ORCHESTRATED,
    RELEASES,
    SCRIPT,
    WAS_NEVER_GOOD,
    Measured,
    measure,
)
from benchmarks.figures import median, ratio
from benchmarks.ground import HEALTH_S, STEADY_S, Ground
from benchmarks.progress import say
from benchmarks.report import Part, Table, show_ratio, show_s

OF_FLOOR = {COMMITTED: 1.15, MIGRATION_FAILED: 1.2, WAS_NEVER_GOOD: 1.2}
OF_SCRIPT = 0.5

THERE, DOWNLOADED = "there", "downloaded"


@dataclass(frozen=True)
class Case:
    """One comparison. ``image`` tells whether the new image is on the host when it begins."""

    size_mb: int
    ending: str
    image: str

    @property
    def contenders(self) -> tuple[str, ...]:
        """The contenders: the floor downloads nothing, and a script has its download within its outage."""
        if self.image == DOWNLOADED:
            return (ORCHESTRATED, SCRIPT)
        if self.ending == COMMITTED:
            return (ORCHESTRATED, SCRIPT, CAREFUL_SCRIPT, FLOOR)
        return (ORCHESTRATED, SCRIPT, FLOOR)


Results = Mapping[Case, Mapping[str, Sequence[Measured]]]


def measure_outage(ground: Ground, sizes: Sequence[int], rounds: int) -> Part:
    """Measure every case at every size, in rounds that go through all of them."""
    results: dict[Case, dict[str, list[Measured]]] = {}
    for size in sizes:
        cases = choose_cases(size)
        results |= {case: {contender: [] for contender in case.contenders} for case in cases}
        with ground.stand(size) as stand:
            say(f"outage: a database of {stand.read_size() / 1e6:.0f} MB")
            for number in range(1, rounds + 1):
                for case in cases:
                    for contender in case.contenders:
                        stand.reset(RELEASES[case.ending], image_there=case.image == THERE)
                        taken = measure(stand, contender, case.ending)
                        results[case][contender].append(taken)
                        label = f"{case.ending}, image {case.image}, {contender}"
                        say(f"round {number}: {label}: {taken.outage_s:.2f} s of {taken.total_s:.2f} s")
    return build_part(results)


def choose_cases(size_mb: int) -> list[Case]:
    """Choose the cases at a size."""
    cases = [Case(size_mb, ending, THERE) for ending in (COMMITTED, MIGRATION_FAILED, WAS_NEVER_GOOD)]
    return [*cases, Case(size_mb, COMMITTED, DOWNLOADED)]


def build_part(results: Results) -> Part:
    """Build the tables, and every single round as JSON."""
    headings = ("upgrade", "orchestrator", "deliberate", "script", "stopped first", "floor", "to floor", "to script")
    table = Table(headings, tuple(_compare(case, taken) for case, taken in results.items()))
    measured = [
        {**asdict(case), "contender": contender, "rounds": [asdict(one) for one in rounds]}
        for case, taken in results.items()
        for contender, rounds in taken.items()
    ]
    said: list[str | Table] = [
        "Seconds without a good answer, medians. `deliberate` is what the plan says to wait within the outage"
        f" (`steady_for: {STEADY_S:g}s`, or {HEALTH_S:g} s for a version that is never good; the script waits that"
        " too); it is taken off both sides before a ratio is made, and all ratios are medians of the ratios of each"
        f" round. Bounds: {OF_FLOOR[COMMITTED]} of the floor committed, {OF_FLOOR[MIGRATION_FAILED]} rolled back;"
        f" {OF_SCRIPT} of the script. ✗ marks what does not keep its bound.",
        table,
        "Where the outage goes, medians in seconds:",
        _split(results, ORCHESTRATED),
        _split(results, FLOOR),
        "All of a run, and the memory of the orchestrator at its highest:",
        _tell_totals(results),
    ]
    return Part("outage", said, measured)


def _compare(case: Case, taken: Mapping[str, Sequence[Measured]]) -> tuple[str, ...]:
    def shown(contender: str) -> str:
        return show_s(median([one.outage_s for one in taken[contender]])) if contender in taken else ""

    return (
        f"{case.size_mb} MB, {case.ending}, image {case.image}",
        shown(ORCHESTRATED),
        show_s(median([one.deliberate_s for one in taken[ORCHESTRATED]])),
        shown(SCRIPT),
        shown(CAREFUL_SCRIPT),
        shown(FLOOR),
        _relate(taken, FLOOR, OF_FLOOR[case.ending]),
        _relate(taken, SCRIPT, OF_SCRIPT if case.ending == COMMITTED else None),
    )


def _relate(taken: Mapping[str, Sequence[Measured]], other: str, at_most: float | None) -> str:
    if other not in taken:
        return ""
    nets = ([one.net_s for one in taken[contender]] for contender in (ORCHESTRATED, other))
    return show_ratio(ratio(*nets), at_most=at_most)


def _split(results: Results, contender: str) -> Table:
    cases = [case for case, taken in results.items() if contender in taken and case.image == THERE]
    names = list(dict.fromkeys(name for case in cases for one in results[case][contender] for name in one.parts))
    rows = []
    for case in cases:
        parts = [[one.parts[name] for one in results[case][contender] if name in one.parts] for name in names]
        cells = (show_s(median(found)) if found else "" for found in parts)
        rows.append((f"{contender}: {case.size_mb} MB, {case.ending}", *cells))
    return Table(("", *names), tuple(rows))


def _tell_totals(results: Results) -> Table:
    rows = []
    for case, taken in results.items():
        for contender, rounds in taken.items():
            if contender == FLOOR:  # which is nothing but the outage
                continue
            peak = f"{max(one.peak_bytes for one in rounds) / 1e6:.0f}" if contender == ORCHESTRATED else ""
            name = f"{case.size_mb} MB, {case.ending}, image {case.image}: {contender}"
            rows.append((name, show_s(median([one.total_s for one in rounds])), peak))
    return Table(("upgrade", "s in all", "MB at most"), tuple(rows))
