"""Aggregate several rounds of a measurement: medians, ratios, and the growth of a figure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TOLERANCE = 1.25
"""How far a figure may lie above the straight line through those before it and still count as growing with it."""

NOISE = 0.05
"""How far one round may be off by chance, at least: with a single round nothing else says so."""


def median(values: Sequence[float]) -> float:
    """Return the median of the rounds."""
    return statistics.median(values)


def ratio(values: Sequence[float], others: Sequence[float]) -> float:
    """Median of the ratios round by round: a slow moment of the machine slows both sides of a round."""
    return statistics.median(value / other for value, other in zip(values, others, strict=True))


@dataclass(frozen=True)
class Growth:
    """Growth of a figure with a size. ``slope`` is per unit of the size; ``bend`` the worst of all points."""

    slope: float
    bend: float

    @property
    def faster_than_linear(self) -> bool:
        """Whether some point lies clearly above that line."""
        return self.bend > TOLERANCE


def build_growth(points: Mapping[int, Sequence[float]]) -> Growth:
    """Build the growth of the medians of some rounds at each size, two sizes at least."""
    sizes = sorted(points)
    slope = statistics.linear_regression(sizes, [median(points[size]) for size in sizes]).slope
    figures = [points[size] for size in sizes]
    return Growth(slope, max((_bend(sizes[: at + 1], figures[: at + 1]) for at in range(2, len(sizes))), default=1.0))


# Of each point not its median but what the rounds have shown, so that a figure which falls for a while by chance
# promises nothing. Two lines: the last step alone, and all of the way.
def _bend(sizes: Sequence[int], figures: Sequence[Sequence[float]]) -> float:
    steepest = max(
        0.0, *((_high(figures[-2]) - _low(figures[at])) / (sizes[-2] - sizes[at]) for at in {0, len(sizes) - 3})
    )
    expected = median(figures[-2]) + steepest * (sizes[-1] - sizes[-2])
    return median(figures[-1]) / expected if expected > 0 else 1.0


def _high(values: Sequence[float]) -> float:
    return max(*values, median(values) * (1 + NOISE))


def _low(values: Sequence[float]) -> float:
    return min(*values, median(values) * (1 - NOISE))
