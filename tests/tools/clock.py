"""Time that passes only when somebody waits."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Waiting costs no real time; whatever was planned for a moment happens when that moment is reached."""

    def __init__(self, start: datetime = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._order = 0
        self._planned: list[tuple[float, int, Callable[[], object]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    def wait(self, event: threading.Event, seconds: float) -> bool:
        until = self._elapsed_s + max(0.0, seconds)
        while not event.is_set():
            if not self._reach_next(until):
                return event.is_set()
        return True

    def advance(self, seconds: float) -> None:
        """Let time pass with nobody waiting."""
        self.wait(threading.Event(), seconds)

    def set_back(self, seconds: float) -> None:
        """Let the time of day jump; what is monotonic goes on."""
        self._start -= timedelta(seconds=seconds)

    def at(self, moment_s: float, happening: Callable[[], object]) -> None:
        """Let something happen when `monotonic` reaches ``moment_s``."""
        self._order += 1
        heapq.heappush(self._planned, (moment_s, self._order, happening))

    def jump(self, seconds: float) -> None:
        """Let somebody set the clock on the wall; no time passes."""
        self._start += timedelta(seconds=seconds)

    def after(self, seconds: float, happening: Callable[[], object]) -> None:
        """Let something happen ``seconds`` from now."""
        self.at(self._elapsed_s + seconds, happening)

    def _reach_next(self, until: float) -> bool:
        if not self._planned or self._planned[0][0] > until:
            self._elapsed_s = max(self._elapsed_s, until)
            return False
        moment, _, happening = heapq.heappop(self._planned)
        self._elapsed_s = max(self._elapsed_s, moment)
        happening()
        return True
