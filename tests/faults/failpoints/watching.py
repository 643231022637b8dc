"""Points at which a fake world is looked at, users go on writing, and the process may die or a call may fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.failpoints.points import Failpoints, Point
from tests.tools.moments import Step, observe
from tests.tools.world import FakeWorld

RECORDS = frozenset({"intended", "opened", "entered", "prepared", "left", "noted", "resumed", "removed"})


@dataclass
class Watching(Failpoints):
    """Keeps the trace of one process, in which a look that is repeated before the next effect stands once.

    ``records``: how many the journal had when it began, and has now.

    ``tail_bytes``: how long the journal's log of commits was before the newest record, or is now.
    """

    world: FakeWorld = field(kw_only=True)
    log: Path = field(kw_only=True)
    process: int = 0
    records: int = 0
    steps: list[Step] = field(default_factory=list)
    tail_bytes: int = 0
    at_each: Callable[[Point], None] | None = None
    _looked: set[str] = field(default_factory=set)

    def meet(self, point: Point) -> None:
        if point.call.startswith("clock."):
            return  # time is no place to be killed at
        if point.call.startswith("journal."):
            self._count(point)
        if point.touch == "effect":
            if point.side == "after":
                self.world.users_write(1)
            self._looked.clear()
            self.steps.append(Step(self.process, point, self.records, observe(self.world)))
        elif f"{point.call}.{point.side}" not in self._looked:
            self._looked.add(f"{point.call}.{point.side}")
            self.steps.append(Step(self.process, point, self.records, None))
        if self.at_each is not None:
            self.at_each(point)

    def _count(self, point: Point) -> None:
        if point.side == "before":
            self.tail_bytes = self.log.stat().st_size if self.log.exists() else 0
        elif not point.failed and point.call.removeprefix("journal.") in RECORDS:
            self.records += 1
