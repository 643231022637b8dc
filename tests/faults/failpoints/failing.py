"""Each call of a run fails: once, from then on, or only in its answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.core.errors import (
    BackupError,
    DatabaseError,
    JournalError,
    OrchestratorError,
    PlatformError,
    ReleaseError,
)
from orchestrator.core.model.workloads import ProbeAnswer
from orchestrator.machine.resume import Mode
from tests.faults.failpoints.points import Instead, Point, Recording, Side
from tests.faults.failpoints.scenes import Ended, Scene
from tests.faults.failpoints.watching import Watching

_OFTEN = 2

ERRORS: Mapping[str, OrchestratorError] = {
    "workloads": PlatformError("engine.unreachable", "The engine does not answer."),
    "images": PlatformError("image.unreachable", "The registry does not answer."),
    "stages": PlatformError("engine.unreachable", "The engine does not answer."),
    "stage": PlatformError("engine.unreachable", "The engine does not answer."),
    "stage.containers": PlatformError("engine.unreachable", "The engine does not answer."),
    "stage.database": DatabaseError("database.unreachable", "The scratch server does not answer."),
    "database": DatabaseError("database.unreachable", "The database server does not answer."),
    "backups": BackupError("backup.not_writable", "The disk of the backups answers with an error."),
    "feed": ReleaseError("releases.unreachable", "The feed does not answer."),
    "journal": JournalError("journal.unusable", "The disk of the journal answers with an error."),
}

#: Ports that never raise: what they answer when nobody is there.
ANSWERS: Mapping[str, object] = {
    "probe": ProbeAnswer(status=None, error="Connection refused"),
    "operator": None,
}


@dataclass(frozen=True)
class Failure:
    """The call that fails, as the story makes it for the ``ordinal``-th time. ``after``: only its answer is lost."""

    call: str
    ordinal: int
    side: Side = "before"
    always: bool = False

    def __str__(self) -> str:
        return f"{self.call}.{self.side}#{self.ordinal} {'always' if self.always else 'once'}"


@dataclass
class Failing(Watching):
    """Fails where it is told to."""

    failure: Failure | None = None

    def meet(self, point: Point) -> None:
        super().meet(point)
        if self.failure is not None and self._is_due(point, self.failure):
            door = point.call.rpartition(".")[0]
            if door in ANSWERS:
                raise Instead(ANSWERS[door])
            raise ERRORS[door]

    def _is_due(self, point: Point, failure: Failure) -> bool:
        if (point.call, point.side) != (failure.call, failure.side):
            return False
        return point.ordinal == failure.ordinal or (failure.always and point.ordinal > failure.ordinal)


def list_failures(scene: Scene) -> list[Failure]:
    """Every call of the story, once and always; what is asked again and again between two effects, twice of it.

    Of an effect the answer alone is lost as well.
    """
    points = Recording()
    ended = scene.watch(scene.start)
    ended.at_each = points.points.append
    scene.play("run", ended)
    failures: list[Failure] = []
    asked: Counter[str] = Counter()
    for point in points.points:
        if point.side != "before":
            continue
        if point.touch == "effect":
            asked.clear()
            failures.append(Failure(point.call, point.ordinal, "after"))
        asked[point.call] += 1
        if asked[point.call] <= _OFTEN:
            failures += [Failure(point.call, point.ordinal, "before", always) for always in (False, True)]
    return failures


def fail(scene: Scene, failure: Failure) -> Ended:
    """The story with this failure; where it could not come to an end, then a recovery without."""
    plain = scene.watch(scene.start)
    points = Failing(world=plain.world, log=plain.log, failure=failure)
    ended = scene.play("run", points)
    if ended.error is None:
        return ended
    return scene.play(Mode.RECOVER, scene.watch(ended.saved))
