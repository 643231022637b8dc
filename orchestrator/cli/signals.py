"""What the signals of a terminal and of a host that shuts down mean for a run."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from orchestrator.cli.boundary import build_error_document

if TYPE_CHECKING:
    from orchestrator.core.deadline import Interruption

Handler = Callable[[int, FrameType | None], None]

#: A run that does not hear that it is to be left, because a call of it hangs, is over after this many seconds.
LEAVES_WITHIN_S = 1.5
_STDOUT = 1
_STDERR = 2


@contextmanager
def signals(
    interruption: Interruption, as_json: bool, notice: Callable[[str], None], *, as_lines: bool = False
) -> Iterator[None]:
    """SIGINT takes the way back where that can be done, SIGTERM leaves the run for `recover`, SIGHUP is nothing."""
    watch = threading.Timer(LEAVES_WITHIN_S, _end_process, (as_json, as_lines))
    watch.daemon = True

    def ask(number: int, _frame: FrameType | None) -> None:
        interruption.request(number)
        notice(explain(number, interruption))
        if number == signal.SIGTERM and watch.ident is None:
            watch.start()

    def go_on(number: int, frame: FrameType | None) -> None:
        """The terminal is gone; what is under way is not."""

    wanted: dict[int, Handler] = {signal.SIGINT: ask, signal.SIGTERM: ask, signal.SIGHUP: go_on}
    with handled(wanted):
        try:
            yield
        finally:
            watch.cancel()


@contextmanager
def handled(handlers: Mapping[int, Handler]) -> Iterator[None]:
    """Have signals handled by these, by number, and afterwards as before."""
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def explain(number: int, interruption: Interruption) -> str:
    """What follows from a signal, for whoever has sent it."""
    from orchestrator.plan.durations import format_duration

    deferral = interruption.deferral
    if number == signal.SIGTERM and interruption.may_leave:
        return "Leaving, the run is as it was: `orchestrator recover` ends it."
    if deferral is None:
        return "Interrupted: the current state stops and its way back is taken."
    most = format_duration(float(max(1, round(deferral.remaining_s()))))
    return f"{deferral.what} cannot be interrupted safely: it goes on to its end, which takes {most} at most."


# As a kill would end it, which may happen to a run at any moment: whatever hangs would hold up an orderly end too.
def _end_process(as_json: bool, as_lines: bool) -> None:
    from orchestrator.core.deadline import build_left

    left = build_left("The run")
    document = json.dumps(build_error_document(left, as_event=as_lines)) if as_json or as_lines else ""
    _say(" ".join(left.sentences()))
    with suppress(OSError):
        os.write(_STDOUT, f"{document}\n".encode() if document else b"")
    os._exit(left.exit_code)


# Past the streams of Python: their lock may be held by the very line that the signal has interrupted.
def _say(text: str) -> None:
    with suppress(OSError):
        os.write(_STDERR, f"\n{text}\n".encode())
