"""Write the file that node_exporter's textfile collector reads."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.atomic_write import write_atomically
from orchestrator.core.errors import PlatformError
from orchestrator.core.files import read_beginning

_FOR_EVERYBODY = 0o644  # node_exporter has a user of its own, and nothing in it is secret
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class TextfileCollector:
    """Replaced as a whole, so that no half of it is ever read. Implements the port `MetricsFile`."""

    path: Path

    def read(self) -> str:
        """See `MetricsFile.read`."""
        try:
            return read_beginning(self.path, _MAX_BYTES, follow=False).decode("utf-8", "replace")
        except OSError:
            return ""

    def write(self, text: str) -> None:
        """See `MetricsFile.write`; a link in its place is replaced, not followed."""
        try:
            write_atomically(self.path, text.encode(), mode=_FOR_EVERYBODY, follow=False)
        except OSError as error:
            raise PlatformError(
                "metrics.not_written", f"The metrics file {self.path} cannot be written: {error.strerror or error}."
            ) from error
