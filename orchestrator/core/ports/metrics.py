"""The page of a monitoring system."""

from typing import Protocol


class MetricsFile(Protocol):
    """The page that a monitoring system reads."""

    def read(self) -> str:
        """As it was written last; empty where there is none. Never raises."""

    def write(self, text: str) -> None:
        """Replace it as a whole. Raises `PlatformError`: ``metrics.not_written``."""
