"""One way in which a fault shows itself, and how long it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.core.errors import DatabaseError, PlatformError
from tests.faults.matrix.scene import Scene, Trouble
from tests.tools.world import FakeWorld

Breaking = Callable[[Scene], AbstractContextManager[None]]

_BRIEF_S = 5.0
DATABASE = ("database.",)
ENGINE = (
    *("workloads.inspect_engine", "images.find", "images.pull", "images.keep"),
    *("images.forget", "workloads.inspect_services", "workloads.stop_services", "workloads.start_services"),
    *(
        "workloads.check_gate",
        "workloads.find_private_url",
        "workloads.find_drift",
        "workloads.read_logs",
        "workloads.start_job",
    ),
    *("workloads.inspect_job", "workloads.stop_job", "workloads.end_jobs", "workloads.save_job_log"),
    *("workloads.remove_job", "images.resolve", "stage."),
)


class Length(StrEnum):
    """How long a fault is there, from the moment at which its state is entered."""

    BRIEF = "brief"  # a few seconds, much less than the state may take
    LASTING = "lasting"  # until the state is left
    FOR_GOOD = "for good"  # as long as the run


@dataclass(frozen=True)
class Variant:
    """What is broken while the context of ``breaks`` is open.

    ``bites`` are the states in which it leads to what their cells say, None where all do; in the others the run ends
    as without it. ``lengths`` are those that make sense; where only one does, the fault is of that kind by nature.
    ``either``: what the cell says and the end as without it are both right. ``of_release``: the new release is so,
    and what it does in `start` is seen after it. ``silent``: what keeps it from doing harm is done in any case.
    """

    name: str
    breaks: Breaking
    bites: frozenset[str] | None = None
    lengths: frozenset[Length] = frozenset({Length.LASTING})
    either: bool = False
    of_release: bool = False
    silent: bool = False

    @contextmanager
    def meeting(self, length: Length) -> Iterator[Trouble]:
        """It as the trouble of a scene; in the end all is repaired in any case."""
        with ExitStack() as broken:

            def begin(scene: Scene) -> None:
                broken.enter_context(self.breaks(scene))
                if length is Length.BRIEF:
                    scene.world.clock.after(_BRIEF_S, broken.close)

            yield Trouble(f"{self.name}, {length}", begin, lambda _: broken.close())

    @contextmanager
    def meeting_after(self, number: int, length: Length) -> Iterator[Trouble]:
        """As `meeting`, but from the effect of the state with this number on, counted from 0; if it comes so far."""
        with self.meeting(length) as trouble:
            over: list[Scene] = []

            def begin(scene: Scene) -> None:
                scene.world.script.at_effect(number, "after", lambda: over or trouble.begin(scene))

            def end(scene: Scene) -> None:
                over.append(scene)
                trouble.end(scene)

            yield Trouble(f"{trouble.name}, after effect {number}", begin, end)


BRIEF = frozenset({Length.BRIEF})
FOR_GOOD = frozenset({Length.FOR_GOOD})
PASSING = frozenset({Length.BRIEF, Length.LASTING})
ANY_LENGTH = frozenset(Length)


@contextmanager
def altered(target: object, **values: object) -> Iterator[None]:
    """Attributes of a thing of the world have other values."""
    before = {name: getattr(target, name) for name in values}
    for name, value in values.items():
        setattr(target, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(target, name, value)


@contextmanager
def refused(world: FakeWorld, methods: tuple[str, ...], error: Exception) -> Iterator[None]:
    """Calls of these methods raise."""
    world.script.refuse(methods, error)
    try:
        yield
    finally:
        world.script.allow(methods)


@contextmanager
def lose_engine(scene: Scene, reason: str = "connection refused") -> Iterator[None]:
    """Nothing that goes through the engine works; what it runs goes on."""
    unreachable = PlatformError("engine.unreachable", f"The engine does not answer: {reason}.")
    shut_out = DatabaseError("database.unreachable", f"The engine did not let us into the container: {reason}.")
    with refused(scene.world, (*DATABASE, "stage.database."), shut_out), refused(scene.world, ENGINE, unreachable):
        yield
