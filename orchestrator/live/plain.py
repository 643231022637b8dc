"""A run as lines, where there is no terminal to draw on: one line a state."""

from typing import TextIO

import click

from orchestrator.core.model.progress import Progress
from orchestrator.live.display import ProgressDisplay
from orchestrator.redaction.terminal_text import sanitize

_MARKS = {"done": "✓", "newer": "✓", "accepted": "✓", "current": "✓"}

BEFORE_CAUSE = " s  "


class LineDisplay(ProgressDisplay):
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
