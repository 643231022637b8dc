"""Measure a process: its duration and its peak memory."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.bed import BedError

_LOOK_S = 0.05
_KIB = 1024


@dataclass(frozen=True)
class Ended:
    """An ended process. ``began`` and ``ended`` are `time.monotonic()`; the memory is its own, not its children's."""

    exit_code: int
    stdout: str
    stderr: str
    began: float
    ended: float
    peak_bytes: int

    @property
    def seconds(self) -> float:
        """Duration, the start of the process included."""
        return self.ended - self.began


def run_measured(
    argv: Sequence[str], *, timeout_s: float, expect: int | None = 0, environment: Mapping[str, str] | None = None
) -> Ended:
    """Run it to its end, in a session of its own; raises `BedError` for another exit code than the one expected."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        began = time.monotonic()
        process = subprocess.Popen(
            list(argv),
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            peak = _await_end(process, began + timeout_s)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        ended = time.monotonic()
        words = []
        for stream in (stdout, stderr):
            stream.seek(0)
            words.append(stream.read().decode(errors="replace"))
    if expect is not None and process.returncode != expect:
        said = (words[1] or words[0])[-2000:].strip()
        raise BedError(f"{' '.join(argv)} ended with {process.returncode}, not {expect}:\n{said}")
    return Ended(process.returncode, words[0], words[1], began, ended, peak)


def read_peak(status: str) -> int:
    """Highest resident memory in the text of /proc/PID/status, in bytes; 0 where a process that is over has none."""
    found = next((line.split() for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return int(found[1]) * _KIB if found else 0


def _await_end(process: subprocess.Popen[bytes], until: float) -> int:
    peak, handle = 0, os.pidfd_open(process.pid)
    try:
        while not select.select([handle], [], [], _LOOK_S)[0]:
            if time.monotonic() > until:
                raise BedError(f"process {process.pid} was not over in time")
            with suppress(OSError):
                peak = max(peak, read_peak(Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")))
    finally:
        os.close(handle)
    process.wait()
    return peak
