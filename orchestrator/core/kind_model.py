"""Declare what a kind of state needs, may change and ensures: a small vocabulary that only the checker reads.

A kind declares it in its own module; ``orchestrator.checker.model`` defines the effect of each step. The work of a
kind is a row of steps: it may fail, run out of time or be killed before the first, between any two, and after the last.
"""

from dataclasses import dataclass
from enum import IntFlag, StrEnum, auto


class Capability(IntFlag):
    """A thing that a run can have proven so far."""

    CURRENT = auto()  # which version runs
    TARGET = auto()  # which release to go to
    READY = auto()  # every precondition is met
    CONSENT = auto()  # the operator said yes
    IMAGE = auto()  # the new image is on this host, and the old one is kept
    BACKUP = auto()  # a dump that was read back in full
    REHEARSAL = auto()  # migration and new version were tried on a copy
    SNAPSHOT = auto()  # a copy of the database as it was when the app stopped
    MARK = auto()  # the state of the database when it was closed
    FENCE = auto()  # which database is closed
    REPLACEMENT = auto()  # another state of the data lies beside the live one
    STARTED = auto()  # the new version was brought up
    HEALTH = auto()  # the new version was seen to be well
    PIVOT = auto()  # the new version stays, whatever happens
    OLD_SERVES = auto()  # the old version was seen to serve again


NO_CAPABILITY = Capability(0)


class Step(StrEnum):
    """One change of the world; its value describes the change once it is made."""

    STOP_APP = "stopped the app"
    CLOSE_DATABASE = "closed the database"
    COPY_DATABASE = "copied the database"
    MIGRATE_DATABASE = "begun to migrate the database"
    WRITE_DATABASE = "begun to write to the database"
    SWAP_DATABASE = "swapped another database in"
    RESTORE_DATABASE = "brought the data back"
    RESTORE_OR_KEEP = "brought the data back, or kept it where the old version lives on it"
    OPEN_DATABASE = "opened the database"
    PIN_NEW = "pinned the new version"
    PIN_OLD = "pinned the old version"
    START_NEW = "started the new version"
    START_NEW_GATED = "started the new version behind the gate"
    START_OLD = "started the old version"
    PROVE_NEW = "seen that the new version is well"
    PROVE_OLD = "seen that the old version serves"
    COMMIT = "committed"
    OPEN_GATE = "opened the gate"
    DISCARD = "removed what earlier runs have kept"
    CHANGE_APP = "changed the app in a way of its own"


@dataclass(frozen=True)
class PlanTraits:
    """Traits of a plan that a kind needs to declare its effects.

    ``database``: the plan names one. ``migrates``: it names a migration, so that the app need not migrate as it starts.
    """

    database: bool
    migrates: bool


@dataclass(frozen=True)
class Effects:
    """Declaration of what a state needs, may change and ensures.

    ``needs``: of each entry at least one capability must be proven before, or the state cannot do its work.
    ``prepares`` is known from before the first step on, ``ensures`` once the state reports ``success``, which it does
    after all steps; every other outcome may come before or after any of them. ``on_outcome``: other outcomes that prove
    something. ``judges``: it is asked whether to go on, so any outcome but ``success`` is a refusal.
    ``network``: it cannot succeed without the network. ``assumes``: it only checks that this is there.
    ``survives_kill``: a program that it started goes on when the run is killed, and cannot be found then.
    """

    needs: tuple[Capability, ...] = ()
    prepares: Capability = NO_CAPABILITY
    steps: tuple[Step, ...] = ()
    ensures: Capability = NO_CAPABILITY
    success: str = "done"
    on_outcome: tuple[tuple[str, Capability], ...] = ()
    judges: bool = False
    network: bool = False
    assumes: Capability = NO_CAPABILITY
    survives_kill: bool = False
