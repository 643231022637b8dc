"""Amounts and times as a person reads them; pure."""

import textwrap

from orchestrator.core.model.progress import Progress
from orchestrator.live.rate import Pace

_COLUMNS = 80
_MINUTE_S = 60
_HOUR_S = 3600
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024


def format_seconds(seconds: float) -> str:
    """``8 s``, ``2 min 05 s``, ``1 h 07 min``."""
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S:02} s"
    return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S:02} min"


def format_amount(progress: Progress) -> str:
    """``12.3 of 45.6 MiB``, ``3 of ~7 tables``; empty where nothing is counted."""
    if not progress.unit or (progress.total is None and not progress.done):
        return ""
    about = "~" if progress.estimated else ""
    if progress.unit != "bytes":
        of = f" of {about}{progress.total}" if progress.total is not None else ""
        return f"{progress.done}{of} {progress.unit}"
    power = _find_power(max(progress.done, progress.total or 0))
    of = f" of {about}{_scale(progress.total, power)}" if progress.total is not None else ""
    return f"{_scale(progress.done, power)}{of} {_UNITS[power]}"


def format_rate(pace: Pace) -> str:
    """``5.1 MiB/s``; empty where it is not known, or no bytes are counted."""
    if pace.rate is None or pace.progress.unit != "bytes":
        return ""
    power = _find_power(pace.rate)
    return f"{_scale(pace.rate, power)} {_UNITS[power]}/s"


def format_remaining(pace: Pace, now: float) -> str:
    """``8 s left``; empty where nobody knows."""
    remaining = pace.remaining_s(now)
    if remaining is None or pace.share == 1:
        return ""
    guessed = pace.share is None
    if guessed and remaining <= 0:
        return "longer than in the rehearsal"
    about = "about " if guessed or pace.progress.estimated else ""
    return f"{about}{format_seconds(max(1.0, remaining))} left"


def _find_power(amount: float) -> int:
    power = 0
    while amount >= _STEP and power < len(_UNITS) - 1:
        amount, power = amount / _STEP, power + 1
    return power


def _scale(amount: float, power: int) -> str:
    return f"{amount / _STEP**power:.1f}" if power else f"{amount:.0f}"


def wrap(text: str, *, width: int = _COLUMNS, indent: str = "") -> list[str]:
    """Lines of at most ``width``; names are never cut, for a person may want to copy them."""
    first = indent[:2]
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
