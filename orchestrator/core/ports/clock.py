"""The clocks of the host."""

import threading
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for people, monotonic time for deadlines."""

    def now(self) -> datetime:
        """Aware, UTC."""

    def monotonic(self) -> float:
        """Seconds that only go forward."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Sleep until the event is set (True) or the seconds are over (False)."""
