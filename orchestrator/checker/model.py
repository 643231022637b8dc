"""Model as little of app, database, files and users as a plan can harm.

Each step of `orchestrator.core.kind_model` is one change of the model. All functions are pure.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from orchestrator.core.kind_model import NO_CAPABILITY, Capability, Effects, PlanTraits, Step

_REMEMBERED = 4096  # a long plan meets the same few hundred models in each state
_SOURCES = Capability.BACKUP | Capability.SNAPSHOT
_DATED = _SOURCES | Capability.MARK
_TOUCHING = frozenset(Step) - {Step.COPY_DATABASE, Step.DISCARD, Step.PROVE_NEW, Step.PROVE_OLD}
_WRITING = frozenset({Step.MIGRATE_DATABASE, Step.WRITE_DATABASE, Step.SWAP_DATABASE})
_STARTING = frozenset({Step.START_NEW, Step.START_NEW_GATED})
_RESTORING = frozenset({Step.RESTORE_DATABASE, Step.RESTORE_OR_KEEP})


class Version(StrEnum):
    """Version of the app that the container runs."""

    OLD = "old"
    NEW = "new"


class Data(StrEnum):
    """Contents of the database."""

    NONE = "none"  # the plan names no database
    OLD = "old"  # the old version's, whole
    MAYBE = "maybe"  # a writer has begun, and how far it came is unknown
    NEW = "new"  # the new version's, whole


class Model(NamedTuple):
    """One moment; by default the old version serves, and nothing is known.

    ``lasting``: the app comes back after a reboot; ``gated``: no user reaches it.
    ``stale`` sources lack something that users have saved since; ``spoiled`` ones were taken when the data were not
    the old version's any more. ``denied``: capabilities that were asked for and refused. ``begun``: a state was entered
    that may change the app; ``touched``: it was changed; ``retreating``: a state was entered that goes back.
    ``visits``: number of entries of each bounded state.
    """

    version: Version = Version.OLD
    running: bool = True
    lasting: bool = True
    gated: bool = False
    pinned: Version = Version.OLD
    fenced: bool = False
    data: Data = Data.OLD
    known: Capability = NO_CAPABILITY
    denied: Capability = NO_CAPABILITY
    stale: Capability = NO_CAPABILITY
    spoiled: Capability = NO_CAPABILITY
    begun: bool = False
    touched: bool = False
    retreating: bool = False
    visits: tuple[int, ...] = ()

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


def begin(traits: PlanTraits, known: Capability, bounded: int) -> Model:
    """Return the model in which the old version serves; ``known`` was found out when the run was opened."""
    return Model(data=Data.OLD if traits.database else Data.NONE, known=known, visits=(0,) * bounded)


@lru_cache(_REMEMBERED)
def save(model: Model) -> Model:
    """Let users save something, where the app serves."""
    if not model.serving or model.version is Version.NEW:
        return model
    return model._replace(stale=model.stale | (model.known & _DATED))


@lru_cache(_REMEMBERED)
def reboot(model: Model) -> Model:
    """Reboot the host; afterwards the database server cannot tell what was written before."""
    return model._replace(running=model.running and model.lasting, known=model.known & ~Capability.MARK)


def close(model: Model) -> Model:
    """Close the database to everybody."""
    return model if model.data is Data.NONE else model._replace(fenced=True)


@lru_cache(_REMEMBERED)
def close_again(model: Model) -> Model:
    """Close the database as recovery does before its first move, unless a version was let in already."""
    let_in = model.known & (Capability.STARTED | Capability.PIVOT | Capability.OLD_SERVES)
    return model if let_in or Capability.FENCE not in model.known else close(model)


def prove(model: Model, capabilities: Capability) -> Model:
    """Add capabilities to the known ones."""
    if not capabilities:
        return model
    fresh = capabilities & _DATED
    spoiled = fresh if model.data in (Data.MAYBE, Data.NEW) else NO_CAPABILITY
    return model._replace(
        known=model.known | capabilities,
        denied=model.denied & ~capabilities,
        stale=model.stale & ~fresh,
        spoiled=(model.spoiled & ~fresh) | spoiled,
    )


def complete(model: Model, effects: Effects, traits: PlanTraits) -> Model:
    """Apply the success of a state: its writes are whole."""
    writes = set(effects.steps) & (_WRITING if traits.migrates else _WRITING | _STARTING)
    if writes and model.data is not Data.NONE:
        model = model._replace(data=Data.NEW)
    return prove(model, effects.ensures)


def can(step: Step, model: Model, traits: PlanTraits) -> bool:
    """Tell whether a step can succeed in this model at all."""
    match step:
        case Step.PROVE_NEW:
            fits = model.data in (Data.NEW, Data.NONE) or not traits.migrates
            return model.version is Version.NEW and model.running and not model.fenced and fits
        case Step.PROVE_OLD:
            return model.version is Version.OLD and model.serving
        case Step.COMMIT:
            return model.pinned is Version.NEW
        case Step.OPEN_GATE:
            return model.version is Version.NEW and not (model.gated and model.fenced)
        case Step.RESTORE_DATABASE | Step.RESTORE_OR_KEEP:
            return bool(model.known & _SOURCES)
        case _:
            return True


def find_source(model: Model) -> Capability | None:
    """Return the source that a restore would use, None where the data can stay as they are."""
    if Capability.REPLACEMENT in model.known and model.data is Data.OLD:
        return None  # whole databases are exchanged, and this one is still the one that was live
    source = Capability.SNAPSHOT if Capability.SNAPSHOT in model.known else Capability.BACKUP
    proof = Capability.SNAPSHOT if Capability.SNAPSHOT in model.known else Capability.MARK
    untouched = model.data in (Data.OLD, Data.NONE) and proof in model.known and proof not in model.stale
    return None if untouched else source


def is_first_write(step: Step, model: Model, traits: PlanTraits) -> bool:
    """Tell whether with this step the data stop being the old version's."""
    writing = step in _WRITING or (step in _STARTING and not traits.migrates)
    return writing and model.data is Data.OLD


def apply(step: Step, model: Model, traits: PlanTraits) -> tuple[Model, ...]:
    """Return the models that a step can lead to; several where the plan leaves it open."""
    touched = model._replace(touched=model.touched or step in _TOUCHING)
    if step in _STARTING:
        return (_start_new(step, touched, traits),)
    if step in _RESTORING:
        return _restore(step, touched)
    if step is Step.CHANGE_APP:
        return (touched, touched._replace(running=not model.running, lasting=not model.running))
    return (_change(step, touched),)


def _change(step: Step, model: Model) -> Model:
    if step in _PLAIN:
        return model._replace(**_PLAIN[step])
    if step is Step.CLOSE_DATABASE:
        return close(model)
    if step in _WRITING and model.data is not Data.NONE:
        return model._replace(data=Data.NEW if step is Step.SWAP_DATABASE else Data.MAYBE)
    if step is Step.COMMIT:
        return prove(model, Capability.PIVOT)
    if step is Step.OPEN_GATE and model.gated:
        return model._replace(running=True, lasting=True, gated=False)
    return model


def _start_new(step: Step, model: Model, traits: PlanTraits) -> Model:
    gated = step is Step.START_NEW_GATED
    data = Data.MAYBE if model.data is Data.OLD and not traits.migrates else model.data
    known = model.known & ~Capability.HEALTH
    return model._replace(version=Version.NEW, running=True, lasting=not gated, gated=gated, data=data, known=known)


def _restore(step: Step, model: Model) -> tuple[Model, ...]:
    source = find_source(model)
    if source is None:
        return (model,)
    restored = model._replace(data=Data.NEW if source in model.spoiled else Data.OLD)
    lives = Capability.REHEARSAL | Capability.STARTED
    if step is Step.RESTORE_OR_KEEP and model.known & lives == lives and not model.gated:
        return restored, model._replace(data=Data.OLD)  # the old version lives on it, so for it nothing has changed
    return (restored,)
