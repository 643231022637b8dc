"""Caching of the release source's answers, and when it is asked again. Time is the fake clock's."""

import itertools
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.errors import ReleaseError
from orchestrator.core.model.releases import Release
from tests.tools.clock import FakeClock
from tests.tools.feed import FakeFeed, unreachable
from webapi.cache import PATIENCE_S, QUESTIONS_AN_HOUR, SLOW, TTL_S, ReleaseCache

ONE = Release(version="v1.3.0")
TWO = Release(version="v1.4.0")


class Bench:
    """A cache whose questions are answered at once, or when `answer` is called if ``slow``."""

    def __init__(self, *releases: Release, slow: bool = False) -> None:
        self.feed = FakeFeed(*releases)
        self.clock = FakeClock()
        self.open: list[Callable[[], None]] = []
        self.cache = ReleaseCache(self.feed, self.clock, start=self.open.append if slow else _at_once)

    def answer(self) -> None:
        self.open.pop(0)()


def _at_once(work: Callable[[], None]) -> None:
    work()


def test_the_source_is_asked_by_the_first_look_and_not_before() -> None:
    bench = Bench(ONE)
    assert bench.feed.asked == 0
    assert bench.cache.look().finding.releases == (ONE,)
    assert bench.feed.asked == 1


def test_an_answer_is_kept_for_four_hours() -> None:
    bench = Bench(ONE)
    bench.cache.look()
    bench.clock.advance(TTL_S - 1)
    bench.cache.look()
    assert bench.feed.asked == 1
    bench.clock.advance(1)
    bench.feed.releases = (TWO,)
    assert bench.cache.look().finding.releases == (TWO,)
    assert bench.feed.asked == 2


def test_force_asks_at_most_once_a_minute() -> None:
    bench = Bench(ONE)
    bench.cache.look()
    asked = [bench.cache.look(force=True).asked for _ in range(3)]
    assert (asked, bench.feed.asked) == ([True, False, False], 2)
    bench.clock.advance(60)
    assert bench.cache.look(force=True).asked
    assert bench.feed.asked == 3


def test_all_callers_together_ask_no_more_than_the_budget_of_an_hour() -> None:
    bench = Bench(ONE)
    for _ in range(60):
        bench.cache.look(force=True)
        bench.clock.advance(60)
    assert bench.feed.asked == QUESTIONS_AN_HOUR
    assert bench.cache.look(force=True).asked, "a new hour has a new budget"


def test_a_source_that_fails_is_not_asked_beyond_the_budget_of_an_hour() -> None:
    bench = Bench()
    bench.feed.error = unreachable()
    for _ in range(59):
        bench.cache.look(force=True)
        bench.cache.look()
        bench.clock.advance(60)
    assert bench.feed.asked == QUESTIONS_AN_HOUR


def test_a_failure_keeps_the_last_answer_and_says_why() -> None:
    bench = Bench(ONE)
    before = bench.cache.look().finding
    bench.clock.advance(TTL_S)
    bench.feed.error = unreachable()
    after = bench.cache.look().finding
    assert (after.releases, after.checked_at, after.problem) == ((ONE,), before.checked_at, "unreachable")


def test_without_any_answer_there_is_nothing_but_the_problem() -> None:
    bench = Bench()
    bench.feed.error = unreachable()
    finding = bench.cache.look().finding
    assert (finding.releases, finding.checked_at, finding.problem) == (None, None, "unreachable")


def test_a_failure_is_remembered_for_one_minute_and_then_longer() -> None:
    bench = Bench()
    bench.feed.error = unreachable()
    moments: list[float] = []
    while len(moments) < 5:
        asked = bench.feed.asked
        bench.cache.look()
        if bench.feed.asked > asked:
            moments.append(bench.clock.monotonic())
        bench.clock.advance(1)
    assert [later - earlier for earlier, later in itertools.pairwise(moments)] == [60, 120, 240, 300]


def test_an_answer_after_a_failure_is_no_longer_stale() -> None:
    bench = Bench(ONE)
    bench.feed.error = unreachable()
    bench.cache.look()
    bench.feed.error = None
    bench.clock.advance(60)
    assert bench.cache.look().finding.problem == ""


def test_force_may_try_again_after_a_failure_that_asked_for_no_pause() -> None:
    bench = Bench()
    bench.feed.error = unreachable()
    bench.cache.look()
    assert bench.cache.look(force=True).asked


@pytest.mark.parametrize(("wait_s", "kept_s"), [(600, 600), (1, 60), (-5, 60), (10**7, TTL_S)])
def test_a_pause_that_the_source_asks_for_is_kept_even_when_forced(wait_s: float, kept_s: float) -> None:
    bench = Bench(ONE)
    retry_at = bench.clock.now() + timedelta(seconds=wait_s)
    bench.feed.error = ReleaseError("releases.rate_limited", "Too many.", retry_at=retry_at)
    assert bench.cache.look().finding.retry_at == bench.clock.now() + timedelta(seconds=kept_s)
    bench.clock.advance(kept_s - 1)
    bench.cache.look(force=True)
    assert bench.feed.asked == 1
    bench.clock.advance(1)
    bench.feed.error = None
    assert bench.cache.look().finding.releases == (ONE,)


def test_a_limit_without_a_moment_is_a_pause_too() -> None:
    bench = Bench(ONE)
    bench.feed.error = ReleaseError("releases.rate_limited", "Too many.")
    bench.cache.look()
    bench.cache.look(force=True)
    assert bench.feed.asked == 1


def test_a_source_that_breaks_leaves_nobody_waiting() -> None:
    bench = Bench()
    bench.feed.error = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError):
        bench.cache.look()
    assert bench.cache.look().finding.problem == "internal"
    assert bench.feed.asked == 1


def test_a_process_without_threads_leaves_nobody_waiting() -> None:
    def refuse(_work: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    cache = ReleaseCache(FakeFeed(ONE), FakeClock(), start=refuse)
    assert [cache.look().finding.problem for _ in range(2)] == ["internal", "internal"]


def test_caller_with_older_data_does_not_wait_for_another_request() -> None:
    bench = Bench(ONE, slow=True)
    bench.clock.after(0, bench.answer)
    bench.cache.look()
    bench.clock.advance(TTL_S)
    bench.clock.after(1, bench.cache.look)  # while the first caller below waits
    slow = bench.cache.look()
    assert (slow.asked, slow.finding.problem) == (True, SLOW)
    assert bench.clock.monotonic() == TTL_S + PATIENCE_S
    later = bench.cache.look()
    assert (later.asked, later.finding.problem, later.finding.releases) == (False, SLOW, (ONE,))
    assert bench.clock.monotonic() == TTL_S + PATIENCE_S
    bench.answer()
    assert bench.cache.look().finding.problem == ""
    assert bench.feed.asked == 2


def test_nobody_waits_longer_than_the_first_question_may_take() -> None:
    bench = Bench(ONE, slow=True)
    assert bench.cache.look().finding.problem == SLOW
    assert bench.clock.monotonic() == PATIENCE_S
    assert bench.cache.look().finding.problem == SLOW
    assert bench.clock.monotonic() == PATIENCE_S
    bench.answer()
    assert bench.cache.look().finding.releases == (ONE,)
    assert bench.feed.asked == 1


def test_a_clock_that_was_set_back_makes_the_answer_old() -> None:
    bench = Bench(ONE)
    bench.cache.look()
    bench.clock._start -= timedelta(hours=1)
    bench.cache.look()
    assert bench.feed.asked == 2


def test_a_clock_that_jumps_forward_makes_the_answer_old() -> None:
    bench = Bench(ONE)
    bench.cache.look()
    bench.clock._start += timedelta(days=40)
    bench.cache.look()
    assert bench.feed.asked == 2


def test_five_hundred_first_callers_ask_once() -> None:
    feed = FakeFeed(ONE)
    everybody_is_here = threading.Barrier(501)
    release = threading.Event()
    feed.while_asked = release.wait
    cache = ReleaseCache(feed, SystemClock())
    found: list[object] = []

    def call() -> None:
        everybody_is_here.wait()
        found.append(cache.look().finding.releases)

    threads = [threading.Thread(target=call) for _ in range(500)]
    for thread in threads:
        thread.start()
    everybody_is_here.wait()
    release.set()
    for thread in threads:
        thread.join()
    assert (feed.asked, found) == (1, [(ONE,)] * 500)
