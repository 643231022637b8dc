"""A real process that draws on a terminal, and what is left of the terminal however it ends."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pyte
import pytest

from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline

CHECKOUT = Path(__file__).resolve().parents[3]
COLUMNS, ROWS = 80, 24
HANGS_IN_STOP = ("workloads.stop_services", "v1.1.0")
HANGS_ON_THE_WAY_BACK = ("database.swap", "v1.2.0")


class Watched:
    """A run with one call that hangs, in a pseudo-terminal whose screen is kept."""

    def __init__(self, folder: Path, call: tuple[str, str], environment: dict[str, str]) -> None:
        self.folder = folder
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.screen)
        self._master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.kills.slow", str(folder), *call],
            cwd=CHECKOUT,
            env={**os.environ, "TERM": "xterm-256color", **environment},
            stdin=self.slave,
            stdout=subprocess.DEVNULL,
            stderr=self.slave,
            start_new_session=True,
        )
        self.written = b""

    def await_shown(self, wanted: Callable[[list[str]], bool]) -> list[str]:
        """Read until the screen shows what is wanted; its lines."""
        return Deadline(SystemClock(), 120, what="The drawing").poll(lambda: self._find(wanted), every_s=0.05)

    def end(self) -> int:
        """Let the call return and read to the end; the exit code."""
        (self.folder / "go").touch()
        Deadline(SystemClock(), 60, what="The run").poll(self._find_exit_code, every_s=0.05)
        self._read()
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self.slave)

    def show(self) -> list[str]:
        self._read()
        return [line.rstrip() for line in self.screen.display]

    def _find(self, wanted: Callable[[list[str]], bool]) -> list[str] | None:
        assert self.process.poll() is None
        lines = self.show()
        return lines if wanted(lines) else None

    def _find_exit_code(self) -> int | None:
        self._read()  # a process that nobody reads from waits for room
        return self.process.poll()

    def _read(self) -> None:
        while select.select([self._master], [], [], 0)[0]:
            data = b""
            with suppress(OSError):
                data = os.read(self._master, 65536)
            if not data:
                return
            self.written += data
            self._stream.feed(data)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    begun: list[Watched] = []

    def begin(call: tuple[str, str] = HANGS_IN_STOP, **environment: str) -> Watched:
        begun.append(Watched(tmp_path, call, environment))
        return begun[-1]

    yield begin
    for one in begun:
        one.close()


def runs(state: str) -> Callable[[list[str]], bool]:
    """The state is the one that is drawn as running, and the app is down."""
    return lambda lines: (
        any(line[2:].startswith(state) and line[:1] not in "✓○" for line in lines)
        and any(line.startswith("app down for") for line in lines)
    )


def is_sane(watched: Watched, before: list[object]) -> bool:
    """The cursor is on, and the line discipline is as it was."""
    watched.show()
    return not watched.screen.cursor.hidden and termios.tcgetattr(watched.slave) == before


def test_ctrl_c_is_answered_above_the_drawing_and_leaves_a_sane_terminal(watch: Callable[..., Watched]) -> None:
    watched = watch()
    before = list(termios.tcgetattr(watched.slave))
    drawn = watched.await_shown(runs("stop"))
    assert next(line for line in drawn if line.startswith("○")) == "○ pull"
    watched.process.send_signal(signal.SIGINT)
    told = "Interrupted: the current state stops and its way back is taken."
    lines = watched.await_shown(lambda lines: told in lines)
    assert lines.index(told) < min(number for number, line in enumerate(lines) if line.startswith("○"))
    assert watched.end() == 20
    left = watched.show()
    assert not [line for line in left if line.startswith("○")]
    assert any(line.startswith("✓ rollback") for line in left)
    assert is_sane(watched, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_the_process_leaves_a_sane_terminal(
    watch: Callable[..., Watched], number: signal.Signals
) -> None:
    watched = watch(HANGS_ON_THE_WAY_BACK)
    before = list(termios.tcgetattr(watched.slave))
    watched.await_shown(runs("restore"))
    watched.process.send_signal(number)
    watched.process.wait(timeout=30)
    assert is_sane(watched, before)
    assert number == signal.SIGKILL or any("was left by a signal" in line for line in watched.show())


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": ""}], ids=["dumb", "unnamed"])
def test_a_terminal_that_cannot_be_drawn_on_gets_lines(
    watch: Callable[..., Watched], environment: dict[str, str]
) -> None:
    watched = watch(**environment)
    assert watched.end() == 0
    assert b"\x1b" not in watched.written
    assert any(line.startswith("✓ cleanup") for line in watched.show())


def test_no_color_draws_without_a_style(watch: Callable[..., Watched]) -> None:
    watched = watch(NO_COLOR="1")
    watched.await_shown(runs("stop"))
    assert b"\x1b[2K" in watched.written
    assert not [part for part in watched.written.split(b"\x1b[")[1:] if part.lstrip(b"0123456789;")[:1] == b"m"]
