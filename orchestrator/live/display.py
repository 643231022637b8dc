"""The place where a run is shown; without a form of its own it shows nothing but what a signal has caused."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from orchestrator.run.listener import Listener

_STDERR = 2


class ProgressDisplay(Listener):
    """A listener that owns a place on the terminal and can be asked to keep away from it; silent by default."""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the run for as long as it may go on; afterwards nothing of a drawing is left."""
        yield

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal alone for as long as somebody is asked a question."""
        yield

    def notice(self, text: str) -> None:
        """Print a message that is not an event of the run. Called by signal handlers: takes no lock."""
        write_past_streams(f"\n{text}\n")


# Past the streams of Python: their lock may be held by the very line that a signal has interrupted.
def write_past_streams(text: str) -> None:
    """Write to the error stream of the process, whatever holds Python's own; what cannot be written is lost."""
    with suppress(OSError):
        os.write(_STDERR, text.encode())
