"""Whether checker and engine say the same of a plan: what is refused does harm in a run, what is not does none."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.checker.findings import Finding, check_plan
from orchestrator.checker.search import POWER_LOST, SAVED, TraceStep
from orchestrator.core.state_kind import FAILED, TIMEOUT
from orchestrator.machine.resume import Mode
from orchestrator.plan.schema import Plan
from states.registry import KINDS
from tests.unit.checker.brute import Fault, Point, Trial

_DEEP = 150


@dataclass(frozen=True)
class Agreement:
    """What both say of one plan: numbers of the rules that it breaks; ``runs``: how many it took to find out.

    ``faults``: with which the engine has shown it.
    """

    refused: tuple[str, ...]
    broken: tuple[str, ...]
    runs: int
    faults: tuple[Fault, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether both refuse it or neither does."""
        return bool(self.refused) == bool(self.broken)


def compare(plan: Plan, folder: Path, *, tries: int, seed: int) -> Agreement:
    """Try the paths that the checker shows; where it shows none, or they do no harm, ``tries`` random faults."""
    errors = [finding for finding in check_plan(plan, KINDS) if finding.is_error]
    chance = random.Random(seed)
    shown = [faults for finding in errors for faults in follow(finding)]
    runs = 0
    for faults in [*shown, *_draw(plan, chance, _DEEP if errors else tries)]:
        runs += 1
        witness = Trial(plan, faults, folder).run()
        if witness.broken:
            return Agreement(tuple(one.rule.id for one in errors), tuple(dict.fromkeys(witness.broken)), runs, faults)
    return Agreement(tuple(one.rule.id for one in errors), (), runs)


def follow(finding: Finding) -> Iterator[tuple[Fault, ...]]:
    """The faults that lead a run along the path of a finding; several, for it does not say at which call of a port."""
    trace = [step for step in finding.path if step.outcome != SAVED]
    variants: tuple[tuple[Point, int | None], ...] = (("begin", 0), ("prepare", 1), ("begin", 2), ("begin", None))
    for early, late in variants:
        yield tuple(fault for step in trace for fault in _read(step, early, late))


def _read(step: TraceStep, early: Point, late: int | None) -> Iterator[Fault]:
    point: Point = early if not step.steps else "end" if late is None else "effect"
    number = step.steps + (late or 0)
    mode = next((mode for mode in Mode if step.event.endswith(mode.value)), None)
    if mode is not None:
        within = step.event.split("; ")[0].removesuffix(", at the last attempt").split(" ")[-1]
        on_the_way = "on the way into" in step.event
        again = 3 if "last time" in step.event else 1
        fault = Fault(
            within, "way in" if on_the_way else point, number=number, mode=mode, reboots=POWER_LOST in step.event
        )
        yield from [fault] * again
    elif step.outcome not in ("done", "newer", "accepted"):
        outcome = step.outcome if not step.steps or step.outcome == TIMEOUT else FAILED
        yield Fault(step.state, point, outcome, number=number)


def _draw(plan: Plan, chance: random.Random, count: int) -> Iterator[tuple[Fault, ...]]:
    yield ()
    for _ in range(count - 1):
        yield tuple(_draw_one(plan, chance) for _ in range(chance.choice((1, 1, 2))))


def _draw_one(plan: Plan, chance: random.Random) -> Fault:
    state = chance.choice(list(plan.states))
    point: Point = chance.choice(("way in", "prepare", "begin", "effect", "effect", "end"))
    number = chance.randint(1, 4)
    outcomes = [word for word in plan.states[state].then if word not in ("done", "newer", "accepted", "interrupted")]
    if point == "way in" or chance.random() < 0.5:
        return Fault(state, point, number=number, mode=chance.choice(list(Mode)), reboots=chance.random() < 0.4)
    return Fault(state, point, chance.choice(outcomes) if point == "begin" else "failed", number=number)
