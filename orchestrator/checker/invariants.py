"""Tell which rules a move breaks: entering a state, making a step, coming to an end. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.checker.model import Data, Model, Version, find_source, is_first_write
from orchestrator.core.kind_model import NO_CAPABILITY, Capability, Effects, PlanTraits, Step
from orchestrator.core.model.verdict import Verdict

_FINAL = frozenset(
    {
        Step.STOP_APP,
        Step.COPY_DATABASE,
        Step.MIGRATE_DATABASE,
        Step.WRITE_DATABASE,
        Step.SWAP_DATABASE,
        Step.RESTORE_DATABASE,
        Step.RESTORE_OR_KEEP,
        Step.PIN_OLD,
        Step.START_OLD,
        Step.COMMIT,
    }
)
_RESTORING = frozenset({Step.RESTORE_DATABASE, Step.RESTORE_OR_KEEP})
_ALONE = frozenset({Step.COPY_DATABASE, Step.MIGRATE_DATABASE, Step.WRITE_DATABASE, Step.SWAP_DATABASE}) | _RESTORING
_STARTING = frozenset({Step.START_NEW, Step.START_NEW_GATED})
_NOTHING = Effects()
_HARMLESS = frozenset({Step.PROVE_NEW, Step.PROVE_OLD, Step.DISCARD})
_WRITTEN = (Data.MAYBE, Data.NEW)

_CLAIMS = {
    Verdict.COMMITTED: "that the new version is well and stays",
    Verdict.UP_TO_DATE: "that there is no newer release",
    Verdict.REFUSED: "that nothing was touched",
    Verdict.ROLLED_BACK: "that the old version serves again",
}
_NAMES = {
    Capability.CURRENT: "knowing which version runs",
    Capability.TARGET: "knowing which release to go to",
    Capability.IMAGE: "the new image",
    Capability.BACKUP: "a proven backup",
    Capability.SNAPSHOT: "a snapshot",
    Capability.FENCE: "a closed database",
    Capability.REPLACEMENT: "other data to swap in",
    Capability.STARTED: "a new version that was started",
}


class Violation(NamedTuple):
    """A broken rule; ``words`` fill in its sentences."""

    rule: str
    words: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Arrival:
    """How a run came to a state or an end: from a state that goes ``back``, ``well`` with its success or not.

    ``cut``: it was cut off, and the plan names this target for that. ``pivot``: the state before is the commit.
    """

    back: bool = False
    well: bool = True
    cut: bool = False
    pivot: bool = False


def check_entry(effects: Effects, *, back: bool, model: Model, traits: PlanTraits) -> Iterator[Violation]:
    """Yield the rules that entering a state breaks, the worst first; ``back``: the state goes back."""
    steps = set(effects.steps)
    committed = Capability.PIVOT in model.known
    if committed and (steps & _FINAL):
        yield Violation("G3")
    if model.retreating and not back and effects != _NOTHING:
        yield Violation("G6")
    if model.denied and not back and steps - _HARMLESS:
        yield Violation("F2")
    missing = next((need for need in effects.needs if not need & model.known), None)
    if missing is not None:
        yield Violation("X6" if back else "F1", (("missing", _name(missing)),))
    elif Step.MIGRATE_DATABASE in steps and Capability.SNAPSHOT in model.known and model.data in _WRITTEN:
        # It refuses to begin: writes since the copy would be lost on a way back.
        yield Violation("F1", (("missing", "a database as it was when it was copied"),))
    if effects.network and (back or committed or model.data in _WRITTEN):
        yield Violation("G9")
    elif effects.network and model.touched and not model.serving:
        yield Violation("W1")
    if effects.assumes & ~model.known and model.touched and not model.serving:
        yield Violation("W7")
    yield from _warn(effects, model, traits, committed=committed)


def check_step(step: Step, model: Model, traits: PlanTraits) -> Iterator[Violation]:
    """Yield the rules that a step breaks in this model."""
    with_data = model.data is not Data.NONE
    if is_first_write(step, model, traits) and Capability.BACKUP not in model.known:
        yield Violation("G4")
    if step in _ALONE and with_data and model.running:
        yield Violation("X4")
    if step in _RESTORING and (find_source(model) or NO_CAPABILITY) & model.stale:
        yield Violation("X2")
    if step is Step.START_OLD and model.data in _WRITTEN:
        yield Violation("X3")
    if step in _STARTING and traits.migrates and model.data in (Data.OLD, Data.MAYBE):
        yield Violation("X3")
    if step is Step.COMMIT and Capability.HEALTH not in model.known:
        yield Violation("X13", (("claim", _CLAIMS[Verdict.COMMITTED]),))
    if step is Step.DISCARD and Capability.PIVOT not in model.known:
        yield Violation("G8")


def check_end(verdict: Verdict, model: Model, arrival: Arrival) -> Iterator[Violation]:
    """Yield the rules that this end of a run breaks."""
    if verdict is Verdict.NEEDS_OPERATOR:
        yield from _check_alarm(model, arrival)
    elif not model.serving:
        yield Violation("X1")
    elif not _holds(verdict, model):
        yield Violation("X13", (("claim", _CLAIMS[verdict]),))


def _check_alarm(model: Model, arrival: Arrival) -> Iterator[Violation]:
    if (arrival.back or arrival.pivot) and not arrival.well:
        return  # that is what an operator is for
    proven = Capability.OLD_SERVES if model.version is Version.OLD else Capability.HEALTH
    if not model.touched or (arrival.well and model.serving and proven in model.known):
        yield Violation("W5")
    elif Capability.PIVOT not in model.known:
        yield Violation("X9" if arrival.cut else "X7")


def _holds(verdict: Verdict, model: Model) -> bool:
    match verdict:
        case Verdict.COMMITTED:
            return model.version is model.pinned is Version.NEW and Capability.HEALTH in model.known
        case Verdict.ROLLED_BACK:
            return model.version is model.pinned is Version.OLD and Capability.OLD_SERVES in model.known
        case Verdict.UP_TO_DATE:
            return not model.touched and Capability.TARGET not in model.known
        case _:
            return not model.touched


def _warn(effects: Effects, model: Model, traits: PlanTraits, *, committed: bool) -> Iterator[Violation]:
    if any(is_first_write(step, model, traits) for step in effects.steps) and Capability.REHEARSAL not in model.known:
        yield Violation("W2")
    if Step.START_NEW in effects.steps and model.data is not Data.NONE and not committed:
        yield Violation("W3")
    if effects.survives_kill:
        yield Violation("W6")


def _name(capabilities: Capability) -> str:
    return " or ".join(name for capability, name in _NAMES.items() if capability in capabilities) or "what it needs"
