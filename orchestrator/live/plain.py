"""Who is told of a run without a terminal to draw on: nobody, or one line a state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol, TextIO

import click

from orchestrator.core.model.progress import Progress
from orchestrator.redaction.terminal_text import sanitize
from orchestrator.run.runner import Listener
from orchestrator.run.service import SilentListener

_MARKS = {"done": "✓", "newer": "✓", "accepted": "✓", "current": "✓"}
_STDERR = 2

BEFORE_CAUSE = " s  "


class Face(Listener, Protocol):
    """A listener that has a place to tell things at, and can be asked to keep away from it."""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """As long as the run may go on; what was drawn is gone afterwards."""

    @contextmanager
    def paused(self) -> Iterator[None]:
        """As long as somebody is asked a question."""

    def notice(self, text: str) -> None:
        """Say something that is not the run's own course. Called by signal handlers: takes no lock."""


class SilentFace(SilentListener):
    """Tells nothing but what a signal has brought about."""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """See `Face.shown`."""
        yield

    @contextmanager
    def paused(self) -> Iterator[None]:
        """See `Face.paused`."""
        yield

    def notice(self, text: str) -> None:
        """See `Face.notice`."""
        write_past_streams(f"\n{text}\n")


class LineFace(SilentFace):
    """One line a state, as it ends."""

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        self._stream = stream
        self._verbose = verbose
        self._last = ""

    def entered(self, state: str, kind: str) -> None:
        """A state begins."""
        self._tell_more(f"… {state}")

    def progressed(self, state: str, progress: Progress) -> None:
        """Its step, once; how far that is changes too often for lines that stay."""
        self._tell_more(f"  {state}: {sanitize(progress.label)}")

    def said(self, state: str, line: str) -> None:
        """The newest line of what works for it."""
        self._tell_more(f"    │ {sanitize(line)}")

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None:
        """It is over; the log lines of what has failed are at the end of the report."""
        click.echo(format_left(state, outcome, reason, seconds), file=self._stream)

    def _tell_more(self, text: str) -> None:
        if self._verbose and text != self._last:
            click.echo(text, file=self._stream)
            self._last = text


def format_left(state: str, outcome: str, reason: str, seconds: float) -> str:
    """A state that is over, on one line."""
    cause = (sanitize(reason).splitlines() or [""])[0]
    return f"{_MARKS.get(outcome, '✗')} {state:<12} {outcome:<9} {seconds:7.2f}{BEFORE_CAUSE}{cause}".rstrip()


# Past the streams of Python: their lock may be held by the very line that a signal has interrupted.
def write_past_streams(text: str) -> None:
    """Write to the error stream of the process, whatever holds Python's own; what cannot be written is lost."""
    with suppress(OSError):
        os.write(_STDERR, text.encode())
