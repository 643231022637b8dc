"""One run that meets one fault in one state, and what is left behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from orchestrator.model import Verdict
from tests.fakes.bench import WITHOUT_REHEARSAL, Bench, Recorder, serving_version
from tests.fakes.script import Call
from tests.fakes.world import FakeWorld

_BACK = frozenset({"restore", "rollback"})


@dataclass(frozen=True)
class Trouble:
    """A fault as something that begins and ends: ``begin`` breaks the world, ``end`` mends it."""

    name: str
    begin: Callable[[Scene], object]
    end: Callable[[Scene], object] = lambda scene: None


class Trace(NamedTuple):
    """What a run did and how it ended: the states with their outcomes, the effects in order, the end."""

    path: tuple[tuple[str, str], ...]
    effects: tuple[Call, ...]
    verdict: Verdict
    exit_code: int
    serving: str | None


class Watch(Recorder):
    """Lets the trouble begin when the state is entered for the first time, and end when it is left, unless it lasts."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene
        self._met = False

    def entered(self, state: str, kind: str) -> None:
        scene = self._scene
        if state == scene.state and not self._met and scene.trouble is not None:
            self._met = True
            scene.trouble.begin(scene)

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None:
        super().left(state, outcome, reason, seconds)
        scene = self._scene
        if state == scene.state and scene.trouble is not None and not scene.lasts:
            scene.trouble.end(scene)


@dataclass
class Scene:
    """A bench whose run comes through ``state``: forward with a good release, back with one that cannot migrate."""

    folder: Path
    state: str
    trouble: Trouble | None = None
    lasts: bool = False
    bench: Bench = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.bench = Bench(self.folder, WITHOUT_REHEARSAL if self.state in _BACK else "")
        self.bench.recorder = Watch(self)
        self.world.users_write(3)

    @property
    def world(self) -> FakeWorld:
        """What the trouble breaks."""
        return self.bench.world

    @property
    def version(self) -> str:
        """The release that leads through the state."""
        return "v1.2.0" if self.state in _BACK else "v1.1.0"

    def run(self) -> Trace:
        """The run from its beginning to its end."""
        before = len(self.world.calls)
        report = self.bench.run(self.version)
        run = report.run
        assert run.verdict is not None
        assert run.exit_code is not None
        return Trace(
            tuple(self.bench.recorder.path),
            tuple(self.world.calls[before:]),
            run.verdict,
            run.exit_code,
            serving_version(self.world),
        )
