"""Runs the real command and notes where its time goes: `python -m benchmarks.observed NOTES run PLAN …`.

Every few milliseconds a second thread looks at what the first one is doing; the stack says in which state it is and who
keeps it waiting. Processes that it starts are noted as well. The command knows nothing of this.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

LOOK_S = 0.002

OWN, START_UP, JOURNAL, WAITING, COMPOSE, DATA, OUTSIDE = (
    "own work", "start-up", "journal", "waiting loops", "Compose", "data work", "engine and database"
)  # fmt: skip

_DATA_FILES = ("adapters/backups/", "adapters/postgres/dump_scan.py", "isal/")
_THREADS_FILES = ("/threading.py", "/queue.py", "/concurrent/futures/")
# `blocking.py` waits for a call that another thread makes.
_OUTSIDE_FILES = (
    "-packages/docker/",
    "/urllib3/",
    "/requests/",
    "adapters/http/",
    "/http/client.py",
    "adapters/docker/container_",
    "adapters/docker/exec_",
    "adapters/host/blocking.py",
)

WATCHING = "_watch"  # of `states/shared/health_check.py`

Started = dict[str, Any]


def main(arguments: Sequence[str]) -> None:
    """Run the command under observation; its notes are written however it ends."""
    notes, *command = arguments
    started = _note_processes()
    spent: dict[tuple[str, str], float] = defaultdict(float)
    loops = Loops()
    ended = threading.Event()
    observer = threading.Thread(target=_observe, args=(threading.main_thread().ident, spent, loops, ended), daemon=True)
    observer.start()
    try:
        from orchestrator.cli import main as orchestrator  # noqa: PLC0415 - its imports are a part of what is observed

        orchestrator(command)
    finally:
        ended.set()
        observer.join()
        found = [{"where": where, "what": what, "seconds": seconds} for (where, what), seconds in spent.items()]
        Path(notes).write_text(
            json.dumps({"spent": found, "in_vain_s": loops.in_vain_s, "processes": started}), encoding="utf-8"
        )


def classify(stack: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Classify a stack into state and purpose, from (file, function), the innermost first."""
    files = [file for file, _ in stack]
    if not any(file.endswith("orchestrator/run/service.py") and function != "<module>" for file, function in stack):
        return "before and after", START_UP
    kind = next(
        (file.rpartition("/")[2] for file in reversed(files) if "/states/" in file and "/shared/" not in file),
        "runner.py",
    )
    pausing = any(file.endswith("orchestrator/core/deadline.py") and function == "pause" for file, function in stack)
    reasons = {
        JOURNAL: _any_of(files, "orchestrator/journal/"),
        WAITING: pausing,
        COMPOSE: _any_of(files, "adapters/compose/command.py"),
        DATA: _any_of(_leave_out_threads(files)[:1], *_DATA_FILES),
        OUTSIDE: _any_of(files, *_OUTSIDE_FILES),
    }
    return kind.removesuffix(".py"), next((what for what, seen in reasons.items() if seen), OWN)


# Who waits for a thread does so for what that thread does for it.
def _leave_out_threads(files: Sequence[str]) -> list[str]:
    return [file for file in files if not _any_of([file], *_THREADS_FILES)]


def _any_of(files: Sequence[str], *parts: str) -> bool:
    return any(part in file for file in files for part in parts)


class Loops:
    """Waiting loops, each known by the call that waits, and how long its last pause was.

    What is waited for has come at some moment of the last pause: half of it was waited in vain, on average. A pause
    that ends at the moment that the plan says (`steady_for`) is none of a loop.
    """

    def __init__(self) -> None:
        self._calls: list[tuple[int, int]] = []
        self._pauses: list[float] = []

    @property
    def in_vain_s(self) -> float:
        """Seconds of all loops."""
        return sum(self._pauses) / 2

    def note(self, call: int, pause: int, seconds: float) -> None:
        """Note that the loop of this call was in this pause for so long."""
        if self._calls and self._calls[-1] == (call, pause):
            self._pauses[-1] += seconds
        elif self._calls and self._calls[-1][0] == call:
            self._calls[-1], self._pauses[-1] = (call, pause), seconds
        else:
            self._calls.append((call, pause))
            self._pauses.append(seconds)


def _observe(thread: int | None, spent: dict[tuple[str, str], float], loops: Loops, ended: threading.Event) -> None:
    at = time.monotonic()
    while not ended.wait(LOOK_S):
        frames = _read_stack(sys._current_frames().get(thread or 0))
        now = time.monotonic()
        spent[classify([(frame.f_code.co_filename, frame.f_code.co_name) for frame in frames])] += now - at
        pauses = [number for number, frame in enumerate(frames) if _is_pause(frame)]
        if pauses and frames[pauses[0] + 1].f_code.co_name != WATCHING:
            loops.note(id(frames[pauses[0] + 1]), id(frames[pauses[0]]), now - at)
        at = now


def _is_pause(frame: FrameType) -> bool:
    return frame.f_code.co_name == "pause" and frame.f_code.co_filename.endswith("orchestrator/core/deadline.py")


def _read_stack(frame: FrameType | None) -> list[FrameType]:
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames


def _note_processes() -> list[Started]:
    started: list[Started] = []

    def note(event: str, values: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            started.append({"argv": [str(word) for word in values[1]], "began": time.monotonic()})

    sys.addaudithook(note)
    return started


if __name__ == "__main__":
    main(sys.argv[1:])
