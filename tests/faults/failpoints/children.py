"""The real command line in children that are killed by SIGKILL, on a fake world that outlives them.

The journal, the lock and the folder of the run are real files. The world is in the child's memory, and is handed over
to a file, by a rename, at the very moment of its death, for it would not notice it.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal
from unittest.mock import patch

from orchestrator import wiring
from orchestrator.cli import render
from orchestrator.core.ports.operator import Operator
from orchestrator.core.state_kind import Ports
from orchestrator.plan.schema import Plan
from tests.faults.failpoints.points import Point, kill_myself
from tests.faults.failpoints.process import run_command
from tests.faults.failpoints.scenes import Scene
from tests.faults.failpoints.watching import RECORDS, Watching
from tests.tools.build import make_ports
from tests.tools.moments import Step
from tests.tools.world import FakeWorld

Tear = Literal["whole", "lost", "half"]

BROKEN = 99
_LOADED = render  # here, and not anew in each child
_HALF_A_FRAME = 2048


@dataclass(frozen=True)
class Outside:
    """What goes on without the process: the world, and the notes of those who watched the newest process."""

    world: FakeWorld
    steps: tuple[Step, ...]
    records: int
    tail_bytes: int


@dataclass(frozen=True)
class Death:
    """How a child ended: by a signal (``exit_code`` None) or by itself, with the one document that it printed."""

    exit_code: int | None
    document: Mapping[str, object]
    said: str


@dataclass
class Family:
    """One case after the other in the folder of a scene, each command in a process of its own."""

    scene: Scene

    def __post_init__(self) -> None:
        self._outside = self.scene.folder / "outside"
        self._newest = 0
        self._stdout, self._stderr = self.scene.folder / "stdout", self.scene.folder / "stderr"

    def begin(self) -> None:
        """The world and the disk as they are before the story."""
        world = self.scene.bring_back(self.scene.start)
        self._newest = 0
        self._hand_over(Outside(world, (), 0, 0))

    def run(self, *, die_at: str | None = None) -> Death:
        """`orchestrator run` in a child."""
        version = self.scene.story.version
        return self._give_birth(("run", str(self.scene.plan.source), "--force", "--version", version, "--json"), die_at)

    def recover(self, *, die_at: str | None = None) -> Death:
        """`orchestrator recover` in a child."""
        return self._give_birth(("recover", str(self.scene.plan.source), "--json"), die_at)

    def outside(self) -> Outside:
        """What is there between two processes."""
        return self._read(self._newest)

    def steps(self) -> tuple[Step, ...]:
        """The trace of all processes of this case."""
        return tuple(step for number in range(self._newest + 1) for step in self._read(number).steps)

    def tear(self, tear: Tear) -> None:
        """Lose what the disk had not yet been told to keep: of a record that was just being written, all or half.

        Where none was, half of a frame lies behind the last commit.
        """
        if tear == "whole":
            return
        outside, log = self.outside(), self.scene.log
        self.scene.directory.joinpath("journal.sqlite3-shm").unlink(missing_ok=True)
        point = outside.steps[-1].point
        if not (point.call.startswith("journal.") and point.side == "after" and log.exists()):
            if log.exists() and log.stat().st_size:
                with log.open("ab") as file:
                    file.write(log.read_bytes()[-_HALF_A_FRAME:])
            return
        size = log.stat().st_size
        os.truncate(log, outside.tail_bytes if tear == "lost" else max(outside.tail_bytes, size - _HALF_A_FRAME))
        if point.call.removeprefix("journal.") in RECORDS:
            last = replace(outside.steps[-1], records=outside.records - 1)
            self._hand_over(replace(outside, steps=(*outside.steps[:-1], last), records=outside.records - 1))

    def _give_birth(self, command: tuple[str, ...], die_at: str | None) -> Death:
        self._newest += 1
        child = os.fork()
        if child == 0:
            self._live(command, die_at)
        _, status = os.waitpid(child, 0)
        said = self._stderr.read_text(encoding="utf-8")
        if os.WIFSIGNALED(status):
            return Death(None, {}, said)
        printed = self._stdout.read_text(encoding="utf-8")
        return Death(os.WEXITSTATUS(status), json.loads(printed) if printed.startswith("{") else {}, said)

    def _live(self, command: tuple[str, ...], die_at: str | None) -> None:
        """Everything that the child does; it never comes back."""
        code: object = BROKEN
        try:
            with self._stdout.open("w", encoding="utf-8") as out, self._stderr.open("w", encoding="utf-8") as err:
                sys.stdout, sys.stderr = out, err
                code = self._obey(command, die_at)
        except BaseException:  # noqa: BLE001 - whatever it is must not go on in the tests of the parent
            self._stderr.write_text(traceback.format_exc(), encoding="utf-8")
        finally:
            os._exit(code if isinstance(code, int) else BROKEN)

    def _obey(self, command: tuple[str, ...], die_at: str | None) -> object:
        outside = self._read(self._newest - 1)
        process = self._newest - 1
        points = Watching(world=outside.world, log=self.scene.log, process=process, records=outside.records)

        def die(point: Point) -> None:
            # The world goes on as it is; nothing of this process does.
            if point.name == die_at:
                self._hand_over(_tell(points))
                kill_myself()

        def build(plan: Plan, operator: Operator) -> Ports:
            return make_ports(points.world, operator=operator)

        points.at_each = die
        try:
            with patch.object(wiring, "build_ports", build):
                run_command(command, points)
        except SystemExit as ended:
            self._hand_over(_tell(points))
            return ended.code
        return BROKEN

    def _read(self, number: int) -> Outside:
        found: Outside = pickle.loads(self._outside.with_suffix(f".{number}").read_bytes())  # noqa: S301 - our own
        return found

    def _hand_over(self, outside: Outside) -> None:
        written = self._outside.with_suffix(".new")
        written.write_bytes(pickle.dumps(outside))
        written.rename(self._outside.with_suffix(f".{self._newest}"))


def _tell(points: Watching) -> Outside:
    return Outside(points.world, tuple(points.steps), points.records, points.tail_bytes)
