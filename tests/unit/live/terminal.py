"""A terminal in memory: what is written to it, and what a person would see of that."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pyte
from rich.console import Console

from orchestrator.live.screen import ScreenDisplay, build_console
from tests.tools.clock import FakeClock

_SCROLLED_BACK = 500


class Terminal(io.StringIO):
    """``columns`` × ``rows`` cells; the lines that scroll off its top are kept as `scrolled`."""

    def __init__(self, columns: int = 80, rows: int = 24, environment: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.environment = {"TERM": "xterm-256color", **(environment or {})}
        self.screen = pyte.HistoryScreen(columns, rows, history=_SCROLLED_BACK)
        self.screen.set_mode(pyte.modes.LNM)  # as the line discipline of a terminal makes it of a line's end
        self._stream = pyte.Stream(self.screen)

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._stream.feed(text)
        return super().write(text)

    @property
    def console(self) -> Console:
        """A console of its size."""
        console = build_console(self, self.environment)
        console.size = (self.screen.columns, self.screen.lines)
        return console

    def show(self) -> list[str]:
        """The lines that are seen, without the empty ones below."""
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def narrow(self, columns: int) -> None:
        """Be made narrower, and fold what is seen, as most terminals do."""
        seen = self.show()
        self.screen = pyte.HistoryScreen(columns, self.screen.lines, history=_SCROLLED_BACK)
        self.screen.set_mode(pyte.modes.LNM)
        self._stream = pyte.Stream(self.screen)
        self._stream.feed("\n".join(seen))

    def read_all(self) -> list[str]:
        """What was scrolled off, then what is seen."""
        scrolled = ["".join(row[x].data for x in range(self.screen.columns)) for row in self.screen.history.top]
        return [line.rstrip() for line in scrolled] + self.show()


def make_display(terminal: Terminal, clock: FakeClock, *, verbose: bool = False) -> ScreenDisplay:
    """A display that draws only when something changes, so that what is seen hangs on no thread."""
    return ScreenDisplay(terminal.console, clock, verbose=verbose, by_itself=False)
