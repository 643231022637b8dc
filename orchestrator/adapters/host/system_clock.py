"""The host's clocks."""

import threading
import time
from datetime import UTC, datetime


class SystemClock:
    """Implements `orchestrator.core.ports.clock.Clock`."""

    def now(self) -> datetime:
        """Return the time, aware and in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Sleep until the event is set (True) or the seconds are over (False)."""
        return event.wait(seconds)
