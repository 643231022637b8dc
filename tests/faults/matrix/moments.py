"""Moments of a state at which something can happen to the process that is at work in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

from tests.faults.failpoints.points import Failpoints, Point
from tests.faults.failpoints.wrapping import journal_watched
from tests.faults.matrix.scene import Scene, Span, Trouble
from tests.tools.script import When

Happening = Callable[[], object]

#: The effect with which the work of a state is over; left out where that is its last one.
_WORK_IS_OVER = {"migrate": "workloads.save_job_log"}


class Moment(NamedTuple):
    """``plan`` lets something happen at this moment of the scene's state, in a run within its context."""

    name: str
    plan: Callable[[Scene, Happening], AbstractContextManager[None]]


def find_before(span: Span) -> tuple[Moment, ...]:
    """Before the state has done or seen anything: as its entry is recorded, and right after it."""
    return (_at_record("entered", "before"), _at_entry())


def find_within(state: str, span: Span) -> tuple[Moment, ...]:
    """In the middle of it: once its intent is recorded, after each effect but the last, and while it looks."""
    inner = _count_inner(state, span)
    looks = [] if inner else [span.looks // 2]
    effects = [_after_effect(number, span.effects[number]) for number in range(inner)]
    return (_at_record("prepared", "after"), *effects, *map(_at_look, looks))


def find_behind(state: str, span: Span) -> tuple[Moment, ...]:
    """When its work is done, until the journal has its outcome."""
    effects = [
        _after_effect(number, span.effects[number]) for number in range(_count_inner(state, span), len(span.effects))
    ]
    return (*effects, _at_record("left", "before"))


def find_all(state: str, span: Span) -> tuple[Moment, ...]:
    """From its entry to the last thing that it does or looks at."""
    effects = (_after_effect(number, method) for number, method in enumerate(span.effects))
    looks = (_at_look(number) for number in sorted({span.looks // 2, span.looks - 1}))
    return (_at_entry(), *effects, *looks)


def _count_inner(state: str, span: Span) -> int:
    over = _WORK_IS_OVER.get(state)
    return span.effects.index(over) if over else max(0, len(span.effects) - 1)


def _at_entry() -> Moment:
    def plan(scene: Scene, happening: Happening) -> AbstractContextManager[None]:
        scene.trouble = Trouble("at its entry", lambda _: happening())
        return nullcontext()

    return Moment("at its entry", plan)


def _after_effect(number: int, method: str) -> Moment:
    def plan(scene: Scene, happening: Happening) -> AbstractContextManager[None]:
        scene.trouble = Trouble(method, lambda it: it.world.script.at_effect(number, "after", happening))
        return nullcontext()

    return Moment(f"after effect {number}, {method}", plan)


def _at_look(number: int) -> Moment:
    def plan(scene: Scene, happening: Happening) -> AbstractContextManager[None]:
        scene.trouble = Trouble("look", lambda it: it.world.script.at_look(number, happening))
        return nullcontext()

    return Moment(f"at look {number}", plan)


def _at_record(record: str, when: When) -> Moment:
    def plan(scene: Scene, happening: Happening) -> AbstractContextManager[None]:
        return journal_watched(AtRecord(state=scene.state, point=f"journal.{record}.{when}", happening=happening))

    return Moment(f"{when} the record `{record}`", plan)


@dataclass
class AtRecord(Failpoints):
    """Lets something happen as the journal is told this of the state for the first time."""

    state: str = ""
    point: str = ""
    happening: Happening | None = None

    def meet(self, point: Point) -> None:
        if self.happening is None or f"{point.call}.{point.side}" != self.point or self.state not in point.arguments:
            return
        due, self.happening = self.happening, None
        due()
