"""Failpoints, and the faults that can happen there."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.faults.failpoints.doors import Touch

Side = Literal["before", "after"]


@dataclass(frozen=True)
class Point:
    """One side of one call. ``ordinal`` counts from 1; ``arguments`` are the texts among what it was called with.

    ``failed``: the call has raised what its port may raise.
    """

    call: str
    side: Side
    ordinal: int
    touch: Touch
    arguments: tuple[str, ...] = ()
    failed: bool = False

    @property
    def name(self) -> str:
        """As a person writes it: the first time needs no number."""
        return f"{self.call}.{self.side}" + (f"#{self.ordinal}" if self.ordinal > 1 else "")


class Instead(BaseException):
    """Raised before a call: it is not made, and this is answered in its place."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer


@dataclass
class Failpoints:
    """Counts how often each point is reached; subclasses say in `meet` what happens there."""

    seen: Counter[str] = field(default_factory=Counter)

    def reach(
        self, call: str, side: Side, touch: Touch, arguments: tuple[str, ...] = (), *, failed: bool = False
    ) -> None:
        """Called by the wrapped ports."""
        self.seen[f"{call}.{side}"] += 1
        self.meet(Point(call, side, self.seen[f"{call}.{side}"], touch, arguments, failed))

    def meet(self, point: Point) -> None:
        """Nothing happens here."""


@dataclass
class Recording(Failpoints):
    """Remembers every point in order."""

    points: list[Point] = field(default_factory=list)

    def meet(self, point: Point) -> None:
        self.points.append(point)


def kill_myself() -> None:
    """SIGKILL: nothing of this process goes on."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Killing(Failpoints):
    """Kills the process at the point with this name; ``record`` is a file that gets a line for every point reached."""

    die_at: str | None = None
    record: Path | None = None
    kill: Callable[[], None] = kill_myself

    def meet(self, point: Point) -> None:
        if self.record is not None:
            # One write a line, opened anew: what was reached is in the file whatever ends the process.
            with self.record.open("ab", buffering=0) as file:
                file.write(f"{point.touch} {point.name}\n".encode())
        if point.name == self.die_at:
            self.kill()
