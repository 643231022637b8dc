"""Time that is allowed, and the wish to stop: every wait in the program ends here.

Deadlines are monotonic, so a clock that jumps changes nothing. Each state has its own; one for going back
never inherits what going forward has left.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from orchestrator.core.errors import CheckpointError, DeadlineExceededError, InterruptedByOperatorError

T = TypeVar("T")


class Timer(Protocol):
    """The part of a clock that deadlines need."""

    def monotonic(self) -> float:
        """Seconds that only go forward."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Sleep until the event is set (True) or the seconds are over (False)."""


def build_left(what: str) -> CheckpointError:
    """What is said of a run that a signal has made leave ``what``."""
    return CheckpointError(
        "run.left",
        f"{what} was left by a signal, as it was.",
        impact="The run has no end yet, and the app may be down.",
        hint="`orchestrator recover` ends it; `orchestrator resume` goes on with it.",
    )


@dataclass(frozen=True)
class Deferral:
    """What must not be cut off, and how many seconds it may still take."""

    what: str
    remaining_s: Callable[[], float]


class Interruption:
    """The operator's wish that the current state stops; ``deferred`` holds it back where stopping would harm.

    ``may_leave``: the app was changed, so that a SIGTERM no longer waits for the way back, which can take minutes
    that a host which shuts down does not give. Leaving is never held back: what was left is taken up again.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.signal: int | None = None
        self.may_leave = False
        self._told_to_leave = False
        self._deferral: Deferral | None = None
        self._lock = threading.RLock()  # re-entrant: a signal handler runs on the thread that may hold it
        self._listeners: list[Callable[[], None]] = []

    @property
    def leaving(self) -> bool:
        """Whether the run is to be left where it is; no later signal takes that back."""
        return self.may_leave and self._told_to_leave

    @property
    def deferral(self) -> Deferral | None:
        """What must not be cut off at this moment, if something is under way that must not."""
        return self._deferral

    def request(self, signal_number: int) -> bool:
        """Ask to stop. Returns whether the wish takes effect now (False: it is deferred)."""
        with self._lock:
            self._told_to_leave = self._told_to_leave or signal_number == signal.SIGTERM
            self.signal = signal_number
            if self._deferral is not None and not self.leaving:
                return False
            self.event.set()
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()
        return True

    @contextmanager
    def deferred(self, deferral: Deferral) -> Iterator[None]:
        """Hold back every wish but to leave for as long as what must not be cut off is under way."""
        with self._lock:
            before, self._deferral = self._deferral, deferral
            if not self.leaving:
                self.event.clear()
        try:
            yield
        finally:
            with self._lock:
                self._deferral = before

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` when a wish takes effect."""
        with self._lock:
            self._listeners.append(listener)

    def unsubscribe(self, listener: Callable[[], None]) -> None:
        """Do not call it any more."""
        with self._lock:
            self._listeners.remove(listener)


class Deadline:
    """``seconds`` from now on a monotonic clock, ended early by an interruption.

    ``what`` names the waiting state in the error that an operator reads.
    """

    def __init__(
        self, timer: Timer, seconds: float, *, what: str = "", interruption: Interruption | None = None
    ) -> None:
        self.seconds = seconds
        self.what = what
        self._timer = timer
        self._ends_at = timer.monotonic() + seconds
        self._interruption = interruption or Interruption()

    def remaining_s(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._ends_at - self._timer.monotonic())

    def check(self) -> None:
        """Return if there is time left and nobody asked to stop.

        Raises:
            DeadlineExceededError: the time is over.
            InterruptedByOperatorError: a signal asked to stop.
            CheckpointError: a signal asked to leave.
        """
        if self._interruption.event.is_set() and self._interruption.leaving:
            raise build_left(self.what or "The run")
        if self._interruption.event.is_set():
            raise InterruptedByOperatorError(
                "run.interrupted", f"{self.what or 'The state'} was interrupted by a signal."
            )
        if self.remaining_s() <= 0:
            raise DeadlineExceededError(
                "run.timeout",
                f"{self.what or 'The state'} was not done within {self.seconds:g} s.",
                hint="Raise its `timeout` in the plan if it only needs longer.",
            )

    def pause(self, seconds: float) -> None:
        """Sleep, but not past the deadline or an interruption; then `check`."""
        self._timer.wait(self._interruption.event, min(seconds, self.remaining_s()))
        self.check()

    def poll(self, probe: Callable[[], T | None], *, every_s: float) -> T:
        """Ask again and again until ``probe`` returns something that is not None.

        Raises:
            DeadlineExceededError, InterruptedByOperatorError: as `check`.
        """
        while True:
            found = probe()
            if found is not None:
                return found
            self.pause(every_s)

    def sooner(self, seconds: float, *, what: str = "") -> Deadline:
        """A deadline for a part of the work: ``seconds`` from now, never later than this one."""
        return Deadline(
            self._timer,
            min(seconds, self.remaining_s()),
            what=what or self.what,
            interruption=self._interruption,
        )

    @contextmanager
    def guarding(self, abort: Callable[[], None]) -> Iterator[None]:
        """Run a blocking call that knows no time limit: ``abort`` ends it from outside when time is over.

        ``abort`` may be called from another thread or a signal handler, and at most a few times; it must make
        the blocked call return or raise. Whatever the call raised then is replaced by the error of `check`.
        """
        watchdog = threading.Timer(self.remaining_s(), abort)
        watchdog.daemon = True
        self._interruption.subscribe(abort)
        watchdog.start()
        try:
            self.check()
            yield
        finally:
            watchdog.cancel()
            self._interruption.unsubscribe(abort)
            self.check()
