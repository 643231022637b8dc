"""The token bucket in front of the registry."""

import pytest

from benchmarks.throttle import Bucket


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_saved_budget_is_used_at_once_and_the_rest_is_waited_for() -> None:
    bucket = Bucket(rate=1000, burst=200, now=_Clock())
    assert bucket.take(200) == 0
    assert bucket.take(100) == 0.1
    assert bucket.take(100) == 0.2  # two takers at once: the second waits for what both have taken


def test_tokens_come_in_with_time_and_no_more_than_the_burst_is_saved() -> None:
    clock = _Clock()
    bucket = Bucket(rate=1000, burst=200, now=clock)
    bucket.take(200)
    clock.now += 0.1
    assert bucket.take(150) == pytest.approx(0.05)
    clock.now += 3600
    assert bucket.take(300) == pytest.approx(0.1)


def test_a_download_takes_as_long_as_its_rate_says_however_it_is_cut() -> None:
    for piece in (1, 64, 1000):
        clock = _Clock()
        bucket = Bucket(rate=1000, burst=50, now=clock)
        for _ in range(10_000 // piece):
            clock.now += bucket.take(piece)
        assert clock.now - 100.0 == pytest.approx((10_000 // piece * piece - 50) / 1000)
