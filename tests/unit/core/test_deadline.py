"""Deadlines are monotonic, end blocking calls, and hear the operator."""

import threading

import pytest

from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline, Deferral, Interruption
from orchestrator.core.errors import DeadlineExceededError, InterruptedByOperatorError


class HandClock:
    """Moves only when somebody waits."""

    def __init__(self) -> None:
        self.time = 100.0

    def monotonic(self) -> float:
        return self.time

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.time += seconds
        return event.is_set()


def test_polling_ends_with_the_result() -> None:
    answers = iter([None, None, "found"])
    assert Deadline(HandClock(), 10).poll(lambda: next(answers), every_s=1) == "found"


def test_polling_ends_at_the_deadline_and_names_the_waiting_state() -> None:
    clock = HandClock()
    with pytest.raises(DeadlineExceededError, match="State health was not done within 10 s"):
        Deadline(clock, 10, what="State health").poll(lambda: None, every_s=3)
    assert clock.time == pytest.approx(110)


def test_a_part_never_gets_more_time_than_the_whole() -> None:
    clock = HandClock()
    whole = Deadline(clock, 10)
    clock.time += 8
    assert whole.sooner(60).remaining_s() == pytest.approx(2)


def test_an_interruption_ends_the_waiting() -> None:
    interruption = Interruption()
    assert interruption.request(2)
    with pytest.raises(InterruptedByOperatorError):
        Deadline(HandClock(), 10, interruption=interruption).pause(1)


def test_a_deferred_interruption_is_remembered_but_stops_nothing() -> None:
    interruption = Interruption()
    with interruption.deferred(Deferral("rollback", lambda: 90.0)):
        assert not interruption.request(2)
        Deadline(HandClock(), 10, interruption=interruption).check()
    assert interruption.signal == 2


def test_a_blocking_call_is_ended_when_the_time_is_over() -> None:
    aborted = threading.Event()
    with pytest.raises(DeadlineExceededError), Deadline(SystemClock(), 0.05).guarding(aborted.set):
        assert aborted.wait(10)


def test_a_blocking_call_is_ended_by_an_interruption() -> None:
    interruption, aborted = Interruption(), threading.Event()
    deadline = Deadline(SystemClock(), 30, interruption=interruption)
    with pytest.raises(InterruptedByOperatorError), deadline.guarding(aborted.set):
        interruption.request(2)
        assert aborted.wait(10)
