"""Bound every wait in the program: by time, and by a request to stop.

Deadlines are monotonic, so a clock that jumps changes nothing. Each state has its own; the deadline for going back
never inherits the rest of the one for going forward.
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
        """Return seconds that only go forward."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Sleep until the event is set (True) or the seconds are over (False)."""


def build_left(what: str) -> CheckpointError:
    """Build the error for a run that a signal has made leave ``what``."""
    return CheckpointError(
        "run.left",
        f"{what} was left by a signal, as it was.",
        impact="The run has no end yet, and the app may be down.",
        hint="`orchestrator recover` ends it; `orchestrator resume` goes on with it.",
    )


@dataclass(frozen=True)
class Deferral:
    """Work that must not be cut off, and how many seconds it may still take."""

    what: str
    remaining_s: Callable[[], float]


class Interruption:
    """The operator's request that the current state stops; ``deferred`` holds it back where stopping would harm.

    ``may_leave``: the app was changed, so that a SIGTERM no longer waits for the way back, which can take minutes
    that a host which shuts down does not give. Leaving is never held back: recovery resumes the run.
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
        """Work under way that must not be cut off at this moment, if any."""
        return self._deferral

    def request(self, signal_number: int) -> bool:
        """Ask to stop. Return whether the request takes effect now (False: it is deferred)."""
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
        """Hold back every request but to leave while work is under way that must not be cut off."""
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
        """Call ``listener`` when a request takes effect."""
        with self._lock:
            self._listeners.append(listener)

    def unsubscribe(self, listener: Callable[[], None]) -> None:
        """Stop calling the listener."""
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
        """Return the seconds left, never below zero."""
        return max(0.0, self._ends_at - self._timer.monotonic())

    def check(self) -> None:
        """Return if there is time left and no stop was requested.

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
        """Repeat ``probe`` until it returns something that is not None.

        Raises:
            DeadlineExceededError, InterruptedByOperatorError: as `check`.
        """
        while True:
            found = probe()
            if found is not None:
                return found
            self.pause(every_s)

    def sooner(self, seconds: float, *, what: str = "") -> Deadline:
        """Return a deadline for a part of the work: ``seconds`` from now, never later than this one."""
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
        the blocked call return or raise. An error that the call raised then is replaced by the error of `check`.
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
