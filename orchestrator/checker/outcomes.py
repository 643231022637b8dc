"""Explore one entry of a state in one model: how it can be left or cut off, and which rules its steps break."""

from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.checker.invariants import Violation, check_step
from orchestrator.checker.model import Model, apply, can, complete, prove
from orchestrator.core.kind_model import NO_CAPABILITY, Effects, PlanTraits


class Exit(NamedTuple):
    """The state is left. ``outcome`` is None for every outcome but its success; ``steps`` were made."""

    outcome: str | None
    model: Model
    steps: int


class CutOff(NamedTuple):
    """The run is cut off in the state. ``whole``: all steps of the state were made."""

    prepared: bool
    whole: bool
    model: Model
    steps: int


class StepFault(NamedTuple):
    """A step breaks a rule; ``steps`` were made before."""

    violation: Violation
    steps: int


@dataclass(frozen=True)
class EntryOutcomes:
    """Every way in which one entry can end."""

    exits: tuple[Exit, ...]
    cut_offs: tuple[CutOff, ...]
    step_faults: tuple[StepFault, ...]


def explore_entry(effects: Effects, model: Model, traits: PlanTraits, enforced: frozenset[str]) -> EntryOutcomes:
    """Make the steps one by one; steps behind a broken rule of ``enforced`` are not explored."""
    exits = [Exit(None, model, 0)]
    cut_offs = [CutOff(prepared=False, whole=False, model=model, steps=0)]
    step_faults: list[StepFault] = []
    models: tuple[Model, ...] = (prove(model, effects.prepares),)
    for number in range(len(effects.steps) + 1):
        whole = number == len(effects.steps)
        exits += [Exit(None, one, number) for one in models]
        cut_offs += [CutOff(prepared=True, whole=whole, model=one, steps=number) for one in models]
        if whole or not models:
            break
        step = effects.steps[number]
        after: list[Model] = []
        for one in models:
            broken = list(check_step(step, one, traits))
            step_faults += [StepFault(violation, number) for violation in broken]
            if not any(violation.rule in enforced for violation in broken) and can(step, one, traits):
                after += apply(step, one, traits)
        models = tuple(after)
    if whole:
        exits += [Exit(effects.success, complete(one, effects, traits), len(effects.steps)) for one in models]
    return EntryOutcomes(tuple(dict.fromkeys(exits)), tuple(dict.fromkeys(cut_offs)), tuple(dict.fromkeys(step_faults)))


def apply_refusal(model: Model, effects: Effects, outcome: str) -> Model:
    """Apply an outcome that is not the success: a refusal, if the state decides; it may prove something."""
    if effects.judges:
        model = model._replace(denied=model.denied | effects.ensures)
    learned = dict(effects.on_outcome).get(outcome, NO_CAPABILITY)
    return prove(model._replace(known=model.known & ~effects.ensures), learned) if learned else model
