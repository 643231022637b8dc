"""Which rule a move breaks: entering a state, one of its steps, or coming to an end. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.checker.world import Data, Model, Version, find_source, is_first_write
from orchestrator.core.kind_model import NO_THING, Capability, Effects, PlanTraits, Step
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
    """A rule that is broken; ``words`` fill in what its sentence says of the case."""

    rule: str
    words: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Arrival:
    """How the run came somewhere: from a state that ``back`` goes back, ``well`` with its success or not.

    ``cut``: because it was cut off and the plan says where it goes then. ``pivot``: that state is the commit.
    """

    back: bool = False
    well: bool = True
    cut: bool = False
    pivot: bool = False


def judge_entry(effects: Effects, *, back: bool, world: Model, setting: PlanTraits) -> Iterator[Violation]:
    """What is wrong with entering a state, the worst first; ``back``: it goes back."""
    steps = set(effects.steps)
    committed = Capability.PIVOT in world.known
    if committed and (steps & _FINAL):
        yield Violation("G3")
    if world.retreating and not back and effects != _NOTHING:
        yield Violation("G6")
    if world.denied and not back and steps - _HARMLESS:
        yield Violation("F2")
    missing = next((need for need in effects.needs if not need & world.known), None)
    if missing is not None:
        yield Violation("X6" if back else "F1", (("missing", _name(missing)),))
    elif Step.MIGRATE_DATABASE in steps and Capability.SNAPSHOT in world.known and world.data in _WRITTEN:
        # It refuses to begin: what was written since the copy would be lost on a way back.
        yield Violation("F1", (("missing", "a database as it was when it was copied"),))
    if effects.network and (back or committed or world.data in _WRITTEN):
        yield Violation("G9")
    elif effects.network and world.touched and not world.serving:
        yield Violation("W1")
    if effects.assumes & ~world.known and world.touched and not world.serving:
        yield Violation("W7")
    yield from _advise(effects, world, setting, committed=committed)


def judge_step(step: Step, world: Model, setting: PlanTraits) -> Iterator[Violation]:
    """What is wrong with taking a step in this world."""
    with_data = world.data is not Data.NONE
    if is_first_write(step, world, setting) and Capability.BACKUP not in world.known:
        yield Violation("G4")
    if step in _ALONE and with_data and world.running:
        yield Violation("X4")
    if step in _RESTORING and (find_source(world) or NO_THING) & world.stale:
        yield Violation("X2")
    if step is Step.START_OLD and world.data in _WRITTEN:
        yield Violation("X3")
    if step in _STARTING and setting.migrates and world.data in (Data.OLD, Data.MAYBE):
        yield Violation("X3")
    if step is Step.COMMIT and Capability.HEALTH not in world.known:
        yield Violation("X13", (("claim", _CLAIMS[Verdict.COMMITTED]),))
    if step is Step.DISCARD and Capability.PIVOT not in world.known:
        yield Violation("G8")


def judge_end(verdict: Verdict, world: Model, arrival: Arrival) -> Iterator[Violation]:
    """What is wrong with this end of a run."""
    if verdict is Verdict.NEEDS_OPERATOR:
        yield from _judge_alarm(world, arrival)
    elif not world.serving:
        yield Violation("X1")
    elif not _is_so(verdict, world):
        yield Violation("X13", (("claim", _CLAIMS[verdict]),))


def _judge_alarm(world: Model, arrival: Arrival) -> Iterator[Violation]:
    if (arrival.back or arrival.pivot) and not arrival.well:
        return  # that is what an operator is for
    proven = Capability.OLD_SERVES if world.version is Version.OLD else Capability.HEALTH
    if not world.touched or (arrival.well and world.serving and proven in world.known):
        yield Violation("W5")
    elif Capability.PIVOT not in world.known:
        yield Violation("X9" if arrival.cut else "X7")


def _is_so(verdict: Verdict, world: Model) -> bool:
    match verdict:
        case Verdict.COMMITTED:
            return world.version is world.pinned is Version.NEW and Capability.HEALTH in world.known
        case Verdict.ROLLED_BACK:
            return world.version is world.pinned is Version.OLD and Capability.OLD_SERVES in world.known
        case Verdict.UP_TO_DATE:
            return not world.touched and Capability.TARGET not in world.known
        case _:
            return not world.touched


def _advise(effects: Effects, world: Model, setting: PlanTraits, *, committed: bool) -> Iterator[Violation]:
    if any(is_first_write(step, world, setting) for step in effects.steps) and Capability.REHEARSAL not in world.known:
        yield Violation("W2")
    if Step.START_NEW in effects.steps and world.data is not Data.NONE and not committed:
        yield Violation("W3")
    if effects.survives_kill:
        yield Violation("W6")


def _name(things: Capability) -> str:
    return " or ".join(name for thing, name in _NAMES.items() if thing in things) or "what it needs"
