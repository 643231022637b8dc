"""The view on a terminal: what is over stays as lines, what goes on is drawn below them. The door to rich."""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rich.cells import chop_cells
from rich.console import Console
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from orchestrator.core.facts import Facts
from orchestrator.core.model.progress import Progress
from orchestrator.core.ports.clock import Clock
from orchestrator.live.display import ProgressDisplay, write_past_streams
from orchestrator.live.drawing import NARROW, Moment, Size, draw, fold
from orchestrator.live.plain import BEFORE_CAUSE, format_left
from orchestrator.live.view import View
from orchestrator.plan.schema import Plan
from orchestrator.redaction.terminal_text import sanitize

_TIMES_A_SECOND = 8
_COLOURS = {"✓": "green", "✗": "red"}
_CAUSE_INDENT = 4


def build_console(stream: TextIO, environment: Mapping[str, str]) -> Console:
    """The terminal behind ``stream``. With ``NO_COLOR`` no style at all: bold and dim are colours to some."""
    return Console(
        file=stream,
        _environ=environment,
        color_system=None if environment.get("NO_COLOR") else "auto",
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
    )


class ScreenDisplay(ProgressDisplay):
    """Draws on a terminal from a thread of its own, several times a second, for as long as the run goes on.

    The cursor is never hidden and the keyboard stays as it is: whatever ends the process, the terminal is sane.
    """

    def __init__(self, console: Console, clock: Clock, *, verbose: bool = False, by_itself: bool = True) -> None:
        self._console = console
        self._clock = clock
        self._verbose = verbose
        self._by_itself = by_itself
        self._view: View | None = None
        self._live: Live | None = None
        self._notices: deque[str] = deque()
        self._drawn: list[str] = []

    # --- as a listener

    def began(self, run_id: str, plan: Plan, facts: Facts) -> None:
        """A run begins: from now on it is drawn."""
        self._view = View.of(plan, facts, self._clock.monotonic())
        self._start()

    def entered(self, state: str, kind: str) -> None:
        """A state begins."""
        if self._view is not None:
            self._change(self._view.entered(state, self._clock.monotonic()))

    def progressed(self, state: str, progress: Progress) -> None:
        """How far it is."""
        if self._view is None:
            return
        before = self._view.pace
        if self._verbose and (before is None or before.progress.label != progress.label):
            self._print(Text(f"  {state}: {sanitize(progress.label)}", "dim"))
        self._change(self._view.progressed(progress, self._clock.monotonic()))

    def said(self, state: str, line: str) -> None:
        """What works for it has said something."""
        if self._view is None:
            return
        view = self._view.said(line)
        if self._verbose and view.line != self._view.line:
            self._print(Text(f"    │ {view.line}", "dim"))
        self._change(view)

    def learned(self, facts: Facts) -> None:
        """Something is proven."""
        if self._view is not None:
            self._change(self._view.learned(facts))

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None:
        """It is over: its line stays."""
        if self._view is not None:
            self._change(self._view.left())
        self._print_left(_mark(format_left(state, outcome, reason, seconds)))

    # --- as a display

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Whatever happens meanwhile, nothing of the drawing is left behind."""
        try:
            yield
        finally:
            self._stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The terminal is somebody else's for a while."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def notice(self, text: str) -> None:
        """Above the drawing, as soon as it is drawn again."""
        if self._live is None:
            write_past_streams(f"\n{text}\n")
        else:
            self._notices.append(text)

    def refresh(self) -> None:
        """Draw what there is to be seen now."""
        if self._live is not None:
            self._live.refresh()

    # --- how

    def _change(self, view: View) -> None:
        changed, self._view = view is not self._view, view
        if changed and not self._by_itself:
            self.refresh()

    # Another one each time: one that was stopped would take back the lines of what was said since.
    def _start(self) -> None:
        if self._view is None or self._live is not None:
            return
        self._drawn = []
        self._live = Live(
            console=self._console,
            get_renderable=self._draw,
            auto_refresh=self._by_itself,
            refresh_per_second=_TIMES_A_SECOND,
            transient=True,
            vertical_overflow="crop",
        )
        self._live.start()
        self._console.show_cursor(True)

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()
        while self._notices:
            write_past_streams(f"{self._notices.popleft()}\n")

    def _draw(self) -> Text:
        while self._notices:
            self._console.print(Text(self._notices.popleft(), "bold"))
        now = Moment(self._clock.monotonic(), self._clock.now())
        size = Size(self._console.width, self._console.height)
        self._take_back_folds(size.columns)
        drawn = draw(self._view, now, size) if self._view else Text("")
        self._drawn = drawn.plain.split("\n")
        return drawn

    # A terminal that was made narrower has folded what was drawn into more rows than rich knows of; those few that
    # cut instead lose as many of the lines above.
    def _take_back_folds(self, columns: int) -> None:
        folds = sum(max(0, len(chop_cells(line, columns)) - 1) for line in self._drawn)
        if folds:
            up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2))
            self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *(up * folds)))

    def _print(self, text: Text) -> None:
        self._console.print(text)

    def _print_left(self, line: Text) -> None:
        columns = self._console.width
        if line.cell_len < columns:
            self._print(line)
            return
        head, _, cause = line.plain.partition(BEFORE_CAUSE)
        head = f"{head}{BEFORE_CAUSE}".rstrip()
        self._print(_mark(head if columns >= NARROW else " ".join(head.split())))
        for part in fold(cause, columns - _CAUSE_INDENT - 1):
            self._print(Text(f"{'':{_CAUSE_INDENT}}{part}"))


def _mark(line: str) -> Text:
    return Text.assemble((line[0], _COLOURS.get(line[0], "")), line[1:])
