"""Write private files of a run, with errors for the operator."""

from pathlib import Path

from orchestrator.core.atomic_write import write_atomically
from orchestrator.core.errors import PlatformError

_PRIVATE = 0o600


def write_private(path: Path, content: bytes) -> None:
    """Replace the file as a whole, mode 0600.

    Raises:
        PlatformError: ``compose.not_written``: no room, or no right to write there.
    """
    try:
        write_atomically(path, content, mode=_PRIVATE)
    except OSError as error:
        raise PlatformError(
            "compose.not_written",
            f"{path} cannot be written: {error.strerror or error}.",
            impact="What would have been done with it was not begun.",
            hint="Make room on the disk of the run's folder, or give this user the right to write there.",
        ) from error
