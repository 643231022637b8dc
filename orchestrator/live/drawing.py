"""The part of a terminal that is drawn again and again, as text of rich; pure: a view and a size in, text out."""

from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len
from rich.text import Text

from orchestrator.live.formatting import format_amount, format_rate, format_remaining, format_seconds
from orchestrator.live.rate import Pace
from orchestrator.live.view import View
from orchestrator.redaction.terminal_text import sanitize

NARROW = 60

_BAR_COLUMNS = 30
_BAR_LEAST = 8
_TURNING = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_TURNS_A_SECOND = 8


@dataclass(frozen=True)
class Moment:
    """Now, for the deadlines (monotonic seconds) and for the outage (time of day)."""

    monotonic: float
    wall: datetime


@dataclass(frozen=True)
class Size:
    """Cells of a terminal."""

    columns: int
    rows: int


def draw(view: View, now: Moment, size: Size) -> Text:
    """What runs, what waits, and what the app is doing meanwhile; it never fills the terminal, nor a line of it."""
    lines = _draw_running(view, now, size.columns) if view.state else []
    footer = _draw_footer(view, now)
    room = size.rows - 1 - len(lines) - 1
    lines += _draw_waiting(view.waiting, room)
    lines.append(footer)
    for line in lines:
        line.truncate(max(1, size.columns - 1), overflow="ellipsis")
    return Text("\n").join(lines[: max(1, size.rows - 1)])


def fold(text: str, columns: int) -> list[str]:
    """Lines of at most so many cells; a word that is longer is not cut, for a person may want to copy it."""
    lines: list[str] = []
    for word in text.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= columns:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _draw_running(view: View, now: Moment, columns: int) -> list[Text]:
    seconds = now.monotonic - view.since
    label = sanitize(view.pace.progress.label) if view.pace else ""
    turning = _TURNING[int(now.monotonic * _TURNS_A_SECOND) % len(_TURNING)]
    if columns < NARROW:
        first = Text.assemble((turning, "cyan"), " ", (view.state, "bold"), f" {seconds:.1f} s  {label}")
    else:
        name = (f"{view.state:<12}", "bold")
        first = Text.assemble((turning, "cyan"), " ", name, f" {'':<9} {seconds:7.1f} s  {label}")
    lines = [first]
    if view.pace is not None and (bar := _draw_bar(view.pace, now.monotonic, columns)):
        lines.append(bar)
    if view.line:
        lines.append(Text(f"  │ {view.line}", "dim"))
    return lines


def _draw_bar(pace: Pace, now: float, columns: int) -> Text | None:
    share = pace.share_at(now)
    told = (format_amount(pace.progress), format_rate(pace), format_remaining(pace, now))
    figures = "  ".join(text for text in told if text)
    if share is None:
        return Text(f"  {figures}") if figures else None
    if cell_len(figures) + _BAR_LEAST + 6 > columns:  # the remaining time counts for more than how fast it goes
        figures = "  ".join(text for text in (told[0], told[2]) if text)
    width = min(_BAR_COLUMNS, columns - cell_len(figures) - 6)
    if width < _BAR_LEAST:
        return Text(f"  {share:.0%}  {figures}")
    full = round(share * width)
    return Text.assemble("  ", ("█" * full, "green"), ("░" * (width - full), "dim"), f"  {figures}")


def _draw_waiting(waiting: tuple[str, ...], room: int) -> list[Text]:
    if not waiting or room < 1:
        return []
    if len(waiting) <= room:
        return [Text(f"○ {name}", "dim") for name in waiting]
    return [Text(f"○ {' · '.join(waiting)}", "dim")]


def _draw_footer(view: View, now: Moment) -> Text:
    total = format_seconds(now.monotonic - view.began)
    parts = [Text(view.plan.name, "bold"), *([Text(view.versions)] if view.versions else []), Text(total)]
    if view.outage is not None and view.outage.ended_at is None:
        seconds = max(0.0, (now.wall - view.outage.began_at).total_seconds())
        parts.insert(0, Text(f"app down for {seconds:.1f} s", "bold red"))
    elif view.outage is not None:
        parts.append(Text(f"app was down for {view.outage.seconds:.1f} s"))
    return Text("  ").join(parts)
