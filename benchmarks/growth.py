"""Measure how outage, way back and total time grow with the database, the services, the states and the recorded
runs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.contenders import COMMITTED, FLOOR, MIGRATION_FAILED, ORCHESTRATED, RELEASES, Measured, measure
from benchmarks.figures import TOLERANCE, build_growth, median
from benchmarks.ground import Ground, Stand
from benchmarks.past import write_past
from benchmarks.progress import say
from benchmarks.report import Part, Table, show_s
from tests.engine.installation import Document

SERVICES = (1, 5, 10, 20)
STATES = (15, 100, 500, 2000)
RUNS = (0, 100, 1000, 10_000)

_SMALL_MB = 10

Prepare = Callable[[Stand], None]
Change = Callable[[Document], Document]


@dataclass
class Axis:
    """An axis that grows. ``points``: at each size a committed and a rolled-back upgrade of each round."""

    name: str
    unit: str
    points: dict[int, list[tuple[Measured, Measured]]] = field(default_factory=dict)
    copies: dict[int, list[float]] = field(default_factory=dict)

    def figures(self) -> dict[str, dict[int, list[float]]]:
        """Figure → size → rounds."""
        chosen: dict[str, Callable[[tuple[Measured, Measured]], float]] = {
            "outage, committed": lambda pair: pair[0].outage_s,
            "outage, rolled back": lambda pair: pair[1].outage_s,
            "total, committed": lambda pair: pair[0].total_s,
            "total, rolled back": lambda pair: pair[1].total_s,
        }
        found = {
            name: {size: [choose(pair) for pair in pairs] for size, pairs in self.points.items()}
            for name, choose in chosen.items()
        }
        if self.copies:
            found["the copy alone (floor)"] = self.copies
            back = found["outage, rolled back"]
            rest = {size: [median(back[size]) - median(copies)] for size, copies in self.copies.items()}
            found["rolled back beyond the copy"] = rest
        return found


def measure_growth(ground: Ground, sizes: Sequence[int], rounds: int, axes: Sequence[str]) -> Part:
    """Measure the named axes, each by itself with everything else small."""
    measures: Mapping[str, Callable[[], Axis]] = {
        "database": lambda: _grow_database(ground, sizes, rounds),
        "services": lambda: _grow_services(ground, rounds),
        "states": lambda: _grow_states(ground, rounds),
        "runs": lambda: _grow_runs(ground, rounds),
    }
    return build_part([measures[name]() for name in axes])


def build_part(axes: Sequence[Axis]) -> Part:
    """Build a table for each axis, and every round as JSON."""
    said: list[str | Table] = [
        "Seconds, medians. `slope` is what one more of the size costs, by least squares. `bend` is the worst figure"
        " over what the steepest straight line through the figures before it says, with what the rounds differ taken as"
        f" their uncertainty; above {TOLERANCE} it grows faster than linearly, which is marked ✗. Services are copies"
        " of the app that start at once on the cores there are.",
    ]
    for axis in axes:
        sizes = sorted(axis.points)
        rows = [_tell_figure(name, found, sizes) for name, found in axis.figures().items()]
        headings = (f"against {axis.name}", *(f"{size} {axis.unit}".strip() for size in sizes), "slope, ms", "bend")
        said.append(Table(headings, tuple(rows)))
    measured = [
        {
            "axis": axis.name,
            "points": [
                {
                    "size": size,
                    "rounds": [[asdict(one) for one in pair] for pair in pairs],
                    "copy": axis.copies.get(size),
                }
                for size, pairs in axis.points.items()
            ],
        }
        for axis in axes
    ]
    return Part("growth", said, measured)


def _tell_figure(name: str, found: Mapping[int, Sequence[float]], sizes: Sequence[int]) -> tuple[str, ...]:
    cells = [show_s(median(found[size])) for size in sizes]
    if len(sizes) < 2:
        return (name, *cells, "", "")
    growth = build_growth(found)
    bend = f"{growth.bend:.2f}" + (" ✗" if growth.faster_than_linear else "")
    return (name, *cells, f"{growth.slope * 1000:.3f}", bend)


def _grow_database(ground: Ground, sizes: Sequence[int], rounds: int) -> Axis:
    axis = Axis("database size", "MB")
    for size in sizes:
        with ground.stand(size) as stand:
            _measure_point(axis, stand, size, rounds)
            axis.copies[size] = [_measure_copy(stand) for _ in range(rounds)]
    return axis


def _grow_services(ground: Ground, rounds: int) -> Axis:
    axis = Axis("number of services", "")
    for number in SERVICES:
        with ground.stand(_SMALL_MB, services=number) as stand:
            _measure_point(axis, stand, number, rounds)
    return axis


def _grow_states(ground: Ground, rounds: int) -> Axis:
    axis = Axis("number of states", "")
    with ground.stand(_SMALL_MB) as stand:
        for number in STATES:
            _measure_point(axis, stand, number, rounds, change=partial(add_states, number=number))
    return axis


def _grow_runs(ground: Ground, rounds: int) -> Axis:
    axis = Axis("runs in the journal", "")
    past = ground.bed.folder / "past"
    with ground.stand(_SMALL_MB) as stand:
        for number in RUNS:
            write_past(past, number)
            _measure_point(axis, stand, number, rounds, prepare=partial(_remember, past=past))
            shutil.rmtree(past)
    return axis


def _measure_point(
    axis: Axis,
    stand: Stand,
    size: int,
    rounds: int,
    *,
    prepare: Prepare = lambda _: None,
    change: Change = lambda plan: plan,
) -> None:
    axis.points[size] = []
    for number in range(1, rounds + 1):
        pair = []
        for ending in (COMMITTED, MIGRATION_FAILED):
            stand.reset(RELEASES[ending], image_there=True)
            prepare(stand)
            pair.append(measure(stand, ORCHESTRATED, ending, change))
        axis.points[size].append((pair[0], pair[1]))
        told = f"{pair[0].outage_s:.2f} s, rolled back {pair[1].outage_s:.2f} s, in all {pair[0].total_s:.2f} s"
        say(f"growth: {axis.name} {size}, round {number}: outage {told}")


def _measure_copy(stand: Stand) -> float:
    stand.reset(RELEASES[MIGRATION_FAILED], image_there=True)
    return measure(stand, FLOOR, MIGRATION_FAILED).parts["copy"]


def _remember(stand: Stand, past: Path) -> None:
    shutil.copytree(past, stand.host.folder / ".orchestrator")


def add_states(plan: Document, number: int) -> Document:
    """Return the plan with steps without effect before the app is stopped, so that it has this many states."""
    states = plan["states"]
    assert isinstance(states, dict)
    missing = number - sum("kind" in state for state in states.values())
    after = states["confirm"]["then"]["accepted"]
    for step in reversed(range(missing)):
        states[f"step_{step}"] = {
            "kind": "command",
            "with": {"run": ["/bin/true"], "changes": "nothing"},
            "then": {"done": after, "failed": "refused"},
        }
        after = f"step_{step}"
    states["confirm"]["then"]["accepted"] = after
    return plan
