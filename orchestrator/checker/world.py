"""The model world: as little of app, database, files and users as a plan can do harm to.

Every step of the vocabulary of `orchestrator.core.kind_model` is one change of it. Pure values in, pure values out.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from orchestrator.core.kind_model import NO_THING, Capability, Effects, PlanTraits, Step

_REMEMBERED = 4096  # the same few hundred worlds are met again in each state of a long plan
_SOURCES = Capability.BACKUP | Capability.SNAPSHOT
_DATED = _SOURCES | Capability.MARK
_TOUCHING = frozenset(Step) - {Step.COPY_DATABASE, Step.DISCARD, Step.PROVE_NEW, Step.PROVE_OLD}
_WRITING = frozenset({Step.MIGRATE_DATABASE, Step.WRITE_DATABASE, Step.SWAP_DATABASE})
_STARTING = frozenset({Step.START_NEW, Step.START_NEW_GATED})
_RESTORING = frozenset({Step.RESTORE_DATABASE, Step.RESTORE_OR_KEEP})


class Version(StrEnum):
    """Of which version the app's container is."""

    OLD = "old"
    NEW = "new"


class Data(StrEnum):
    """What the database holds."""

    NONE = "none"  # the plan names no database
    OLD = "old"  # the old version's, whole
    MAYBE = "maybe"  # somebody has begun to write and nobody knows how far he came
    NEW = "new"  # the new version's, whole


class Model(NamedTuple):
    """One moment. ``lasting``: the app comes back after a reboot; ``gated``: no user reaches it.

    ``stale`` sources lack something that users have saved since; ``spoiled`` ones were taken when the data were not
    the old version's any more. ``denied``: what was asked for and refused. ``begun``: a state was entered that may
    change the app, ``touched``: it has, ``retreating``: one that goes back was. ``visits``: how often each bounded
    state was entered.
    """

    version: Version
    running: bool
    lasting: bool
    gated: bool
    pinned: Version
    fenced: bool
    data: Data
    known: Capability
    denied: Capability
    stale: Capability
    spoiled: Capability
    begun: bool
    touched: bool
    retreating: bool
    visits: tuple[int, ...]

    @property
    def serving(self) -> bool:
        """Whether users reach a version that the data belong to."""
        fits = self.data is Data.NONE or self.data.value == self.version.value
        return self.running and not self.gated and not self.fenced and fits


_PLAIN: Mapping[Step, Mapping[str, Any]] = {
    Step.STOP_APP: {"running": False, "lasting": False},
    Step.OPEN_DATABASE: {"fenced": False},
    Step.PIN_NEW: {"pinned": Version.NEW},
    Step.PIN_OLD: {"pinned": Version.OLD},
    Step.START_OLD: {"version": Version.OLD, "running": True, "lasting": True, "gated": False},
}


def begin(setting: PlanTraits, known: Capability, bounded: int) -> Model:
    """The old version serves; ``known`` is what the opening of a run has found out."""
    return Model(
        version=Version.OLD,
        running=True,
        lasting=True,
        gated=False,
        pinned=Version.OLD,
        fenced=False,
        data=Data.OLD if setting.database else Data.NONE,
        known=known,
        denied=NO_THING,
        stale=NO_THING,
        spoiled=NO_THING,
        begun=False,
        touched=False,
        retreating=False,
        visits=(0,) * bounded,
    )


@lru_cache(_REMEMBERED)
def save(world: Model) -> Model:
    """Users save something; only where the app serves."""
    if not world.serving or world.version is Version.NEW:
        return world
    return world._replace(stale=world.stale | (world.known & _DATED))


@lru_cache(_REMEMBERED)
def reboot(world: Model) -> Model:
    """The host goes down and comes up again; the database server cannot tell any more what was written before."""
    return world._replace(running=world.running and world.lasting, known=world.known & ~Capability.MARK)


def close(world: Model) -> Model:
    """The database is closed to everybody."""
    return world if world.data is Data.NONE else world._replace(fenced=True)


@lru_cache(_REMEMBERED)
def close_again(world: Model) -> Model:
    """What taking a run up does before anything else; a version that was let in is not kept out."""
    let_in = world.known & (Capability.STARTED | Capability.PIVOT | Capability.OLD_SERVES)
    return world if let_in or Capability.FENCE not in world.known else close(world)


def prove(world: Model, things: Capability) -> Model:
    """These things are known from now on."""
    if not things:
        return world
    fresh = things & _DATED
    spoiled = fresh if world.data in (Data.MAYBE, Data.NEW) else NO_THING
    return world._replace(
        known=world.known | things,
        denied=world.denied & ~things,
        stale=world.stale & ~fresh,
        spoiled=(world.spoiled & ~fresh) | spoiled,
    )


def complete(world: Model, effects: Effects, setting: PlanTraits) -> Model:
    """The state has reported its success: what it wrote is whole."""
    writes = set(effects.steps) & (_WRITING if setting.migrates else _WRITING | _STARTING)
    if writes and world.data is not Data.NONE:
        world = world._replace(data=Data.NEW)
    return prove(world, effects.ensures)


def can(step: Step, world: Model, setting: PlanTraits) -> bool:
    """Whether a step can succeed in this world at all."""
    match step:
        case Step.PROVE_NEW:
            fits = world.data in (Data.NEW, Data.NONE) or not setting.migrates
            return world.version is Version.NEW and world.running and not world.fenced and fits
        case Step.PROVE_OLD:
            return world.version is Version.OLD and world.serving
        case Step.COMMIT:
            return world.pinned is Version.NEW
        case Step.OPEN_GATE:
            return world.version is Version.NEW and not (world.gated and world.fenced)
        case Step.RESTORE_DATABASE | Step.RESTORE_OR_KEEP:
            return bool(world.known & _SOURCES)
        case _:
            return True


def find_source(world: Model) -> Capability | None:
    """What a restore would bring back, None where the data can stay as they are."""
    if Capability.REPLACEMENT in world.known and world.data is Data.OLD:
        return None  # whole databases are exchanged, and this one is still the one that was live
    source = Capability.SNAPSHOT if Capability.SNAPSHOT in world.known else Capability.BACKUP
    proof = Capability.SNAPSHOT if Capability.SNAPSHOT in world.known else Capability.MARK
    untouched = world.data in (Data.OLD, Data.NONE) and proof in world.known and proof not in world.stale
    return None if untouched else source


def is_first_write(step: Step, world: Model, setting: PlanTraits) -> bool:
    """Whether the data stop to be the old version's with this step."""
    writing = step in _WRITING or (step in _STARTING and not setting.migrates)
    return writing and world.data is Data.OLD


def apply(step: Step, world: Model, setting: PlanTraits) -> tuple[Model, ...]:
    """The worlds that a step can lead to; more than one where the plan leaves it open."""
    touched = world._replace(touched=world.touched or step in _TOUCHING)
    if step in _STARTING:
        return (_start_new(step, touched, setting),)
    if step in _RESTORING:
        return _restore(step, touched)
    if step is Step.CHANGE_APP:
        return (touched, touched._replace(running=not world.running, lasting=not world.running))
    return (_change(step, touched),)


def _change(step: Step, world: Model) -> Model:
    if step in _PLAIN:
        return world._replace(**_PLAIN[step])
    if step is Step.CLOSE_DATABASE:
        return close(world)
    if step in _WRITING and world.data is not Data.NONE:
        return world._replace(data=Data.NEW if step is Step.SWAP_DATABASE else Data.MAYBE)
    if step is Step.COMMIT:
        return prove(world, Capability.PIVOT)
    if step is Step.OPEN_GATE and world.gated:
        return world._replace(running=True, lasting=True, gated=False)
    return world


def _start_new(step: Step, world: Model, setting: PlanTraits) -> Model:
    gated = step is Step.START_NEW_GATED
    data = Data.MAYBE if world.data is Data.OLD and not setting.migrates else world.data
    known = world.known & ~Capability.HEALTH
    return world._replace(version=Version.NEW, running=True, lasting=not gated, gated=gated, data=data, known=known)


def _restore(step: Step, world: Model) -> tuple[Model, ...]:
    source = find_source(world)
    if source is None:
        return (world,)
    restored = world._replace(data=Data.NEW if source in world.spoiled else Data.OLD)
    lives = Capability.REHEARSAL | Capability.STARTED
    if step is Step.RESTORE_OR_KEEP and world.known & lives == lives and not world.gated:
        return restored, world._replace(data=Data.OLD)  # the old version lives on it, so for it nothing has changed
    return (restored,)
