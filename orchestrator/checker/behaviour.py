"""What one state can do to one world: how it can be left, where it can be cut off, and which rules its steps break."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.checker.judgement import Violation, judge_step
from orchestrator.checker.world import Model, apply, can, complete, prove
from orchestrator.core.kind_model import NO_THING, Effects, PlanTraits


class Exit(NamedTuple):
    """The state is left: ``outcome`` is None for every outcome that is not its success. ``steps`` were made."""

    outcome: str | None
    world: Model
    steps: int


class Break(NamedTuple):
    """The run was cut off in the state. ``whole``: it had done all that it does."""

    prepared: bool
    whole: bool
    world: Model
    steps: int


class StepFault(NamedTuple):
    """One of its steps breaks a rule; ``steps`` were made before."""

    breach: Violation
    steps: int


@dataclass(frozen=True)
class Behaviour:
    """Everything that can become of one entry."""

    exits: tuple[Exit, ...]
    breaks: tuple[Break, ...]
    faults: tuple[StepFault, ...]


def behave(effects: Effects, world: Model, setting: PlanTraits, enforced: frozenset[str]) -> Behaviour:
    """Go through the steps one by one; what comes after a broken rule of ``enforced`` is not looked at."""
    exits, breaks, faults = [Exit(None, world, 0)], [Break(prepared=False, whole=False, world=world, steps=0)], []
    worlds: tuple[Model, ...] = (prove(world, effects.prepares),)
    whole = not effects.steps
    for number in range(len(effects.steps) + 1):
        whole = number == len(effects.steps)
        exits += [Exit(None, one, number) for one in worlds]
        breaks += [Break(prepared=True, whole=whole, world=one, steps=number) for one in worlds]
        if whole or not worlds:
            break
        step = effects.steps[number]
        after: list[Model] = []
        for one in worlds:
            broken = list(judge_step(step, one, setting))
            faults += [StepFault(breach, number) for breach in broken]
            if not any(breach.rule in enforced for breach in broken) and can(step, one, setting):
                after += apply(step, one, setting)
        worlds = tuple(after)
    exits += _succeed(effects, worlds, setting) if whole else ()
    return Behaviour(tuple(dict.fromkeys(exits)), tuple(dict.fromkeys(breaks)), tuple(dict.fromkeys(faults)))


def _succeed(effects: Effects, worlds: tuple[Model, ...], setting: PlanTraits) -> Iterator[Exit]:
    for world in worlds:
        yield Exit(effects.success, complete(world, effects, setting), len(effects.steps))


def learn(world: Model, effects: Effects, outcome: str) -> Model:
    """The state was left by an outcome that is not its success: a no, if it was asked; it may have proven something."""
    if effects.judges:
        world = world._replace(denied=world.denied | effects.ensures)
    learned = dict(effects.on_outcome).get(outcome, NO_THING)
    return prove(world._replace(known=world.known & ~effects.ensures), learned) if learned else world
