"""Bound the cost of one question to a server, with all its pages, redirects, retries and logins."""

import threading
from dataclasses import dataclass

from orchestrator.adapters.host.system_clock import SystemClock


@dataclass(frozen=True)
class Limits:
    """The most that a server may cost us.

    For each answer: ``connect_s``, ``read_s`` (of silence), ``body_bytes`` (after decompression), ``values`` and
    ``depth`` of its JSON. For the whole question: ``total_s``, ``total_bytes``, ``requests``, and how many ``entries``
    (releases, tags) and characters of ``notes`` are kept. ``retries`` are quick ones.
    """

    connect_s: float = 5.0
    read_s: float = 10.0
    total_s: float = 30.0
    body_bytes: int = 4 * 1024 * 1024
    total_bytes: int = 16 * 1024 * 1024
    values: int = 200_000
    depth: int = 32
    requests: int = 40
    entries: int = 20_000
    notes: int = 1024 * 1024
    retries: int = 2


DEFAULT_LIMITS = Limits()


class SpentError(Exception):
    """A question has exceeded its budget; the text names the limit, as the end of a sentence."""


class Budget:
    """The rest of the budget of one question."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self._clock = SystemClock()
        self.ends_at = self._clock.monotonic() + limits.total_s
        self._bytes = limits.total_bytes
        self._requests = limits.requests
        self._entries = limits.entries
        self._notes = limits.notes

    @property
    def left_s(self) -> float:
        """Return the seconds left, 0 where there are none."""
        return max(0.0, self.ends_at - self._clock.monotonic())

    def pause(self, seconds: float) -> None:
        """Wait before the next request, but not past the end of the question."""
        self._clock.wait(threading.Event(), min(seconds, self.left_s))

    @property
    def next_body_bytes(self) -> int:
        """Return the most bytes that the next answer may have."""
        return min(self.limits.body_bytes, self._bytes)

    def take_request(self) -> None:
        """Count one more request. Raises `SpentError`, also where no time is left."""
        self._requests -= 1
        if self._requests < 0:
            raise SpentError(f"needs more than {self.limits.requests} requests for one question")
        if not self.left_s:
            raise SpentError(f"did not answer in full within {self.limits.total_s:g} s")

    def take_bytes(self, count: int) -> None:
        """Count so many more bytes. Raises `SpentError`."""
        if count > self.limits.body_bytes:
            raise SpentError(f"sent more than {self.limits.body_bytes} bytes")
        self._bytes -= count
        if self._bytes < 0:
            raise SpentError(f"sent more than {self.limits.total_bytes} bytes for one question")

    def take_entries(self, count: int) -> None:
        """Count so many more releases or tags. Raises `SpentError`."""
        self._entries -= count
        if self._entries < 0:
            raise SpentError(f"lists more than {self.limits.entries} entries")

    def take_notes(self, count: int) -> bool:
        """Tell whether so many more characters of notes may be kept; notes of older releases are left out first."""
        if count > self._notes:
            return False
        self._notes -= count
        return True
