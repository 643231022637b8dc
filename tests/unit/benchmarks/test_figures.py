"""Medians, ratios, and what counts as growing faster than linearly."""

import math

import pytest

from benchmarks.figures import build_growth, median, ratio

SIZES = (10, 100, 1000, 4000)


def _grow(figure: object, *, noise: float = 0.0) -> dict[int, list[float]]:
    assert callable(figure)
    return {size: [figure(size) * (1 + noise * sign) for sign in (-1, 0, 1)] for size in SIZES}


def test_a_ratio_is_made_round_by_round_so_that_a_slow_round_counts_on_both_sides() -> None:
    assert median([1.0, 50.0, 1.2]) == 1.2
    assert ratio([1.0, 10.0, 2.2], [1.0, 10.0, 2.0]) == 1.0


def test_a_ratio_of_rounds_that_do_not_belong_together_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio([1.0], [1.0, 2.0])


def test_a_straight_line_has_its_slope_and_no_bend() -> None:
    growth = build_growth(_grow(lambda size: 3 + size / 100))
    assert growth.slope == pytest.approx(0.01)
    assert growth.bend <= 1
    assert not growth.faster_than_linear


@pytest.mark.parametrize(
    "figure",
    [
        lambda size: 3.0,
        lambda size: 3 + 1e-4 * size,
        lambda size: 3 - 1e-4 * size,
        lambda size: 1 + size * math.log(size) / 10_000,
        lambda size: 1 + math.sqrt(size),
    ],
)
def test_figure_that_stays_falls_or_grows_with_the_size_is_not_reported(figure: object) -> None:
    assert not build_growth(_grow(figure)).faster_than_linear
    assert not build_growth(_grow(figure, noise=0.1)).faster_than_linear


@pytest.mark.parametrize("figure", [lambda size: 1 + (size / 1000) ** 2, lambda size: 2 + size**1.5 / 5000])
def test_faster_growth_is_reported(figure: object) -> None:
    assert build_growth(_grow(figure)).faster_than_linear
    assert build_growth(_grow(figure, noise=0.05)).faster_than_linear


def test_a_chance_dip_in_a_single_round_makes_no_straight_line_bend() -> None:
    assert not build_growth({0: [3.05], 100: [3.05], 1000: [3.03], 10_000: [4.0]}).faster_than_linear


def test_two_sizes_have_a_slope_and_nothing_to_bend() -> None:
    growth = build_growth({10: [1.0], 20: [3.0]})
    assert growth.slope == pytest.approx(0.2)
    assert growth.bend == 1.0
