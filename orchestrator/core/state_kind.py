"""The contract between a kind of state and the runner, the checker and the reader of a plan.

A kind is one class in one module of ``states/``. It reaches the world through the ports in its context only;
the runner journals, counts time and moves on. Four calls, in this order:

``describe``  one sentence or two for a dry run; reads nothing but its context
``prepare``   reads, changes nothing, returns the facts that undoing needs; durable before ``perform`` begins
``perform``   makes the changes; raises `StateError` to report ``failed``
``observe``   asks the world, not memory, whether they are made
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import InvariantError
from orchestrator.core.facts import Fact, Facts, FactT, Learned
from orchestrator.core.foresight import PlannedCommand
from orchestrator.core.kind_model import Effects, PlanTraits
from orchestrator.core.ledger import DATABASE, Ledger
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.model.workloads import Gate
from orchestrator.core.ports.backups import BackupStore
from orchestrator.core.ports.clock import Clock
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.ports.history import History
from orchestrator.core.ports.images import Images
from orchestrator.core.ports.metrics import MetricsFile
from orchestrator.core.ports.notifier import Notifier
from orchestrator.core.ports.operator import Operator
from orchestrator.core.ports.probe import Probe
from orchestrator.core.ports.progress import Report
from orchestrator.core.ports.recovery import Recovery
from orchestrator.core.ports.release_finder import ReleaseFinder, ReleaseRequest
from orchestrator.core.ports.trial import Trials
from orchestrator.core.ports.workloads import Workloads
from orchestrator.redaction.redactor import Redactor

DONE = "done"
FAILED = "failed"
TIMEOUT = "timeout"
INTERRUPTED = "interrupted"
EXHAUSTED = "exhausted"


class CrashRule(StrEnum):
    """The next move of a run that was cut off inside this kind."""

    RUN_AGAIN = "run_again"  # it only reads
    OBSERVE = "observe"  # app down, data untouched: look, then go on or undo
    RESTORE = "restore"  # the database may be written: go back unless observed complete
    JUDGE = "judge"  # the new version may write: bring it up again and let its health decide
    FORWARD = "forward"  # after the commit: finish
    REPEAT = "repeat"  # a compensation: until done, bounded

    @property
    def app_may_be_up(self) -> bool:
        """Whether a version of the app may serve that must not be kept out of its database when a run is taken up."""
        return self in (CrashRule.JUDGE, CrashRule.FORWARD)

    @property
    def app_may_be_down(self) -> bool:
        """Whether users may be without the app while a state of this rule is at work."""
        return self not in (CrashRule.RUN_AGAIN, CrashRule.FORWARD)


class Observation(StrEnum):
    """The effect of a state as the world shows it. A failed look is an error and none of these."""

    ABSENT = "absent"
    PARTIAL = "partial"
    DONE = "done"


class Options(BaseModel):
    """Options of this state."""

    # Base of what a plan may say under `with:`; a kind without options uses it as it is.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


OptionsT = TypeVar("OptionsT", bound=Options)


@dataclass(frozen=True)
class Result:
    """How ``perform`` ended, and what it has proven and made; ``reason`` is one sentence for the operator.

    ``code``: that of an error, where it is a failure.
    """

    outcome: str
    facts: tuple[Learned, ...] = ()
    reason: str = ""
    code: str = ""


@dataclass(frozen=True)
class HealthCheck:
    """Where to ask whether the app serves, and where it reports its version.

    ``version_field`` is a dotted path into the JSON answer of ``version_url``. ``gives_up_early``: an app that the
    engine steadily calls unhealthy has failed, without waiting for the deadline.
    """

    url: str | None
    steady_for_s: float
    version_url: str | None = None
    version_field: str = "version"
    gives_up_early: bool = False


@dataclass(frozen=True)
class AppSpec:
    """The app that the plan upgrades."""

    services: tuple[str, ...]
    image: str
    migrate: tuple[str, ...]
    health: HealthCheck
    version_variable: str
    disconnect: tuple[str, ...] = ()
    database_service: str = ""
    commands: tuple[PlannedCommand, ...] = ()


@dataclass(frozen=True)
class Ports:
    """All doors to the outside. ``stores`` are where the app keeps data; ``trials`` is None for one that keeps none.

    ``mask`` knows the secrets of the app, which leave by none of them. ``notifier`` and ``metrics`` are None where the
    plan wants none.
    """

    clock: Clock
    workloads: Workloads
    images: Images
    backups: BackupStore
    probe: Probe
    operator: Operator
    finder: ReleaseFinder
    recovery: Recovery
    stores: tuple[DataStore, ...] = ()
    trials: Trials | None = None
    mask: Redactor = field(default_factory=Redactor)
    notifier: Notifier | None = None
    metrics: MetricsFile | None = None


@dataclass(frozen=True)
class StateContext(Generic[OptionsT]):
    """What a state gets to work with. ``directory`` is the run's own folder for logs.

    ``ledger`` has what this run and earlier ones have made, and what this state is about to make.
    ``gated``: a state of this plan starts the new version with a closed gate; ``rehearsed``: one tries it on a copy.
    ``report`` takes the progress of the state, ``tell`` the newest line of its program or of its observation while it
    waits.
    """

    run_id: str
    state: str
    directory: Path
    target: AppSpec
    keep_backups: int
    steps: tuple[str, ...]
    worst_case_downtime_s: float
    gated: bool
    request: ReleaseRequest
    assume_yes: bool
    options: OptionsT
    facts: Facts
    ports: Ports
    history: History
    deadline: Deadline
    report: Report
    tell: Callable[[str], None]
    rehearsed: bool = False
    ledger: Ledger = field(default_factory=Ledger)

    def find(self, kind: type[FactT], store: str = DATABASE) -> FactT | None:
        """Return the fact that an earlier state has proven, if any; of one store where each has its own."""
        return self.facts.find(kind, store)

    def require(self, kind: type[FactT], store: str = DATABASE) -> FactT:
        """Return the fact that an earlier state must have proven; of one store where each has its own.

        Raises:
            InvariantError: the plan let this state be entered without it.
        """
        found = self.facts.find(kind, store)
        if found is None:
            raise InvariantError(
                "internal.fact_missing",
                f"State {self.state!r} needs {kind.fact!r}, which no state has proven.",
            )
        return found

    @property
    def stores(self) -> tuple[DataStore, ...]:
        """Where the app keeps data, in the order of the plan."""
        return self.ports.stores

    def store(self, name: str) -> DataStore:
        """Return the store with this name.

        Raises:
            InvariantError: the plan has none of this name.
        """
        found = next((store for store in self.ports.stores if store.name == name), None)
        if found is None:
            raise InvariantError("internal.no_store", f"State {self.state!r} needs a store {name!r} that is not there.")
        return found

    def trials(self) -> Trials:
        """Where a copy of the app and its data can be tried; errors as `store`."""
        if self.ports.trials is None:
            raise InvariantError(
                "internal.no_trials", f"State {self.state!r} needs a database and the plan names none."
            )
        return self.ports.trials


class StateKind(ABC, Generic[OptionsT]):
    """A kind of state. Class attributes are its declaration; an instance holds nothing.

    ``former_names``: names that earlier plans and journals have for it. ``outcomes`` says in words what each outcome
    means, ``success`` which of them stays on the way forward; ``scope`` is what ``perform`` may change;
    ``compensation`` marks the kinds that go back; ``needs_database`` lets the loader refuse a plan without one.
    ``interruptible``: whether a signal may cut it off; otherwise the wish to stop is deferred until it is over.
    ``opens_gate``: once it is done, users reach the new version, however it was started. ``rehearses``: it tries the
    new version on a copy. ``asks``: it puts a question to the operator. ``refuses_drift``: it fails where what runs is
    not what the files say.
    ``unseen_code``: the code of the failure where it was done, but is not seen to be.
    """

    kind: ClassVar[str]
    former_names: ClassVar[tuple[str, ...]] = ()
    summary: ClassVar[str]
    outcomes: ClassVar[Mapping[str, str]] = {DONE: "it is done, and was seen to be", FAILED: "it is not"}
    success: ClassVar[str] = DONE
    scope: ClassVar[EffectScope] = EffectScope.NOTHING
    crash_rule: ClassVar[CrashRule]
    timeout_s: ClassVar[float] = 60.0
    provides: ClassVar[tuple[type[Fact], ...]] = ()
    compensation: ClassVar[bool] = False
    needs_database: ClassVar[bool] = False
    interruptible: ClassVar[bool] = True
    opens_gate: ClassVar[bool] = False
    unseen_code: ClassVar[str] = "run.not_observed"
    rehearses: ClassVar[bool] = False
    asks: ClassVar[bool] = False
    refuses_drift: ClassVar[bool] = False
    Options: ClassVar[type[Options]] = Options

    @classmethod
    def closes_gate(cls, options: BaseModel) -> bool:
        """Tell whether these options say ``gate: closed``: it leaves the new version where no user reaches it."""
        return getattr(options, "gate", Gate.OPEN) is Gate.CLOSED

    @classmethod
    def find_commands(cls, name: str, options: OptionsT, migrate: tuple[str, ...]) -> tuple[PlannedCommand, ...]:
        """Return the programs that a state of this ``name`` runs; ``migrate`` is the plan's migration."""
        return ()

    @classmethod
    @abstractmethod
    def effects(cls, options: OptionsT, traits: PlanTraits) -> Effects:
        """Declare what it needs, may change and ensures with these options: all that the checker knows of it."""

    @abstractmethod
    def describe(self, ctx: StateContext[OptionsT]) -> tuple[str, ...]:
        """Describe the effect for a person, with the facts that are there."""

    def prepare(self, ctx: StateContext[OptionsT]) -> tuple[Learned, ...]:
        """Read, change nothing; return facts that undoing needs, and a ledger row for each artifact to be made."""
        return ()

    @abstractmethod
    def perform(self, ctx: StateContext[OptionsT]) -> Result:
        """Make the changes. ``ctx.facts`` holds what `prepare` returned.

        Raises:
            StateError: it failed; the runner reports ``failed`` (or ``timeout``) with its sentences.
        """

    def reconcile(self, ctx: StateContext[OptionsT]) -> Result | None:
        """Return the result that the world shows after a run was cut off in ``perform``; None if it is not complete.

        Remaining work is ended first. ``ctx.facts`` holds what `prepare` returned.
        """
        return None

    def observe(self, ctx: StateContext[OptionsT]) -> Observation:
        """Observe whether it is done. ``ctx.facts`` holds what ``perform`` has proven. A kind that only reads is
        done.
        """
        return Observation.DONE


Kind = type[StateKind[Any]]
Kinds = Mapping[str, Kind]


class KindTable(Kinds):
    """Kinds by name. A former name finds its kind too, but is not listed."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self._kinds = {kind.kind: kind for kind in kinds}
        self._former = {name: kind for kind in kinds for name in kind.former_names}

    def __getitem__(self, name: str) -> Kind:
        return self._kinds.get(name) or self._former[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)
