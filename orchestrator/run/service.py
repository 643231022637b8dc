"""The use cases that every face calls: run, check, dry run, and reading what earlier runs have left."""

import hashlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator import __version__
from orchestrator.checker.explanation import require_safe
from orchestrator.core.atomic_write import write_atomically
from orchestrator.core.deadline import Deadline, Interruption
from orchestrator.core.errors import (
    CheckpointError,
    InterruptedByOperatorError,
    JournalError,
    OrchestratorError,
    PlatformError,
    RefusedError,
    StateError,
    UnfinishedRunError,
    UsageError,
)
from orchestrator.core.facts import Facts, Known, TargetRelease
from orchestrator.core.ledger import ArtifactKind, Ledger
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.ports.release_finder import Choice, ReleaseRequest
from orchestrator.core.state_kind import Kinds, Ports
from orchestrator.journal.history import JournalHistory
from orchestrator.journal.journal import Journal, Run
from orchestrator.machine.machine import choose_forward
from orchestrator.plan.operations import derive_reload, derive_rollback
from orchestrator.plan.schema import Plan
from orchestrator.releases.failed_before import refuse_failed
from orchestrator.reports.report import RunReport
from orchestrator.reports.runbook import build_runbook
from orchestrator.run.drift import add_plan
from orchestrator.run.finish import finish_run, publish_check, publish_metrics, record_end
from orchestrator.run.host_identity import find_place
from orchestrator.run.listener import Listener
from orchestrator.run.past_runs import Records, end_what_works, open_journal
from orchestrator.run.runner import ContextBuilder, Ending, Engine
from states.shared.checks.drift import refuse_drift


@dataclass(frozen=True)
class DryState:
    """What one state of the way forward would do; ``problem`` where looking at the world already shows one."""

    name: str
    kind: str
    does: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True)
class Service:
    """One plan and the world it is about; ``operation`` is journaled as what its run was for."""

    plan: Plan
    kinds: Kinds
    ports: Ports
    interruption: Interruption = field(default_factory=Interruption)
    make_run_id: Callable[[], str] | None = None
    operation: Mapping[str, str | bool] = field(default_factory=lambda: {"operation": "upgrade"})

    @property
    def records(self) -> Records:
        """What earlier runs have left."""
        return Records(self.plan, self.ports, self.interruption)

    def run(self, request: ReleaseRequest, *, assume_yes: bool, listener: Listener) -> RunReport:
        """Execute the plan once.

        Raises:
            PlanError: some way through the plan could do harm; nothing was looked at or touched.
            PlatformError: the project's folder is not there.
            BusyError: another run is at work. UnfinishedRunError: an earlier one was cut off.
            JournalError: what happens could not be recorded, so nothing more was done.
        """
        require_safe(self.plan, self.kinds)
        self._require_project()
        run_id = self.make_run_id() if self.make_run_id else self._new_run_id()
        with open_journal(self.plan, self.ports, run_id) as journal:
            self._refuse_unfinished(journal)
            run = self._begin(journal, run_id, request, assume_yes=assume_yes)
            publish_metrics(self.plan, self.ports, journal)
            ending = self._walk(journal, run, request, assume_yes=assume_yes, listener=listener)
            return finish_run(journal, run.id, ending, self.plan, self.ports, self.interruption.signal)

    def roll_back(self, *, assume_yes: bool, listener: Listener) -> RunReport:
        """Go back to the version and the data that the last upgrade replaced. Raises as `run`."""
        way = replace(self, plan=derive_rollback(self.plan, self.kinds), operation={"operation": "rollback"})
        return way.run(ReleaseRequest(), assume_yes=assume_yes, listener=listener)

    def restore_backup(self, file: Path, *, foreign: bool, assume_yes: bool, listener: Listener) -> RunReport:
        """Exchange the data for those of a backup; ``foreign`` takes a file that no run has proven. Raises as `run`."""
        plan = derive_reload(self.plan, self.kinds, file, foreign=foreign)
        operation: Mapping[str, str | bool] = {"operation": "restore", "file": str(file), "foreign": foreign}
        way = replace(self, plan=plan, operation=operation)
        return way.run(ReleaseRequest(), assume_yes=assume_yes, listener=listener)

    def check(self, request: ReleaseRequest) -> Choice:
        """Which release would be next. Changes nothing but the page of metrics, where the plan wants one."""
        self._require_project()
        choice = self.ports.finder.find(request)
        if request.version is None:
            publish_check(self.plan, self.ports, newer=choice.newer)
        return choice

    def dry_run(self, request: ReleaseRequest, *, assume_yes: bool) -> tuple[DryState, ...]:
        """What each state of the way forward would do; states that only read are performed. Raises `PlanError`."""
        require_safe(self.plan, self.kinds)
        build = ContextBuilder(
            self.plan,
            self.kinds,
            self.ports,
            JournalHistory(None),
            Listener(),
            "dry-run",
            Path(os.devnull),
            request,
            assume_yes,
        )
        facts, found = Facts(), []
        for name in choose_forward(self.plan):
            if name in self.plan.ends:
                break
            state, facts = self._dry_state(build, name, facts)
            found.append(state)
        return tuple(found)

    def _require_project(self) -> None:
        if not self.plan.target.project.is_dir():
            raise PlatformError(
                "compose.missing",
                f"The project's folder {self.plan.target.project} does not exist.",
                impact="Nothing was touched.",
                hint="Correct `target: project:` in the plan; it is relative to the plan file.",
            )

    def _new_run_id(self) -> str:
        return f"r-{self.ports.clock.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"

    def _refuse_unfinished(self, journal: Journal) -> None:
        unfinished = journal.find_unfinished()
        if unfinished is None:
            return
        facts, records = journal.facts(unfinished.id), journal.records(unfinished.id)
        steps = build_runbook(unfinished.id, facts, records, self.ports.recovery)
        listed = "\n".join(f"  {number}. {step}" for number, step in enumerate(steps, 1))
        plan = self.plan.source
        raise UnfinishedRunError(
            "run.unfinished",
            f"Run {unfinished.id} was cut off and has no end.",
            impact="Nothing was touched now; the app may be down since then.",
            hint=f"`orchestrator resume {plan}` goes on with it, `orchestrator recover {plan}` ends it, by going back"
            f" where that is possible. To bring the old version back by hand:\n{listed}\n"
            f"Then `orchestrator close {unfinished.id}`.",
        )

    def close(self, run_id: str) -> RunReport:
        """Give a run that was cut off the end ``needs_operator``: a person has looked after it.

        Raises:
            UsageError: there is no such run, or it has an end. BusyError: it is at work.
            PlatformError: what it left at work could not be ended, so the run stays as it is.
        """
        self._require_project()
        with open_journal(self.plan, self.ports, run_id) as journal:
            run = journal.find_run(run_id)
            if run is None or run.verdict is not None:
                raise UsageError(
                    "usage.not_unfinished",
                    f"Run {run_id} is not one that was cut off.",
                    hint="`orchestrator status` names an unfinished run, if there is one.",
                )
            end_what_works(self.ports, run_id)
            ending = Ending("cut_off", Verdict.NEEDS_OPERATOR, "It was cut off and closed by its operator.")
            return record_end(journal, run_id, ending, self.plan, self.ports)

    def _begin(self, journal: Journal, run_id: str, request: ReleaseRequest, *, assume_yes: bool) -> Run:
        run = Run(
            id=run_id,
            plan_name=self.plan.name,
            plan_sha256=hashlib.sha256(self.plan.text.encode()).hexdigest(),
            plan_source=str(self.plan.source.absolute()),
            pid=os.getpid(),
            boot_id=_boot_id(),
            request={**self.operation, **vars(request), "assume_yes": assume_yes},
            began_at=self.ports.clock.now(),
        )
        journal.begin(run, tool_version=__version__)
        return run

    def _walk(
        self, journal: Journal, run: Run, request: ReleaseRequest, *, assume_yes: bool, listener: Listener
    ) -> Ending:
        directory = self.plan.journal_directory / "runs" / run.id
        engine = Engine(self.plan, self.kinds, self.ports, journal, listener, self.interruption)
        try:
            facts, settled = self._open(journal, run.id, directory, request)
            if settled is not None:
                return settled
            return engine.walk(run.id, directory, facts, request, assume_yes=assume_yes)
        except StateError as error:
            # Only opening can raise it: inside the loop the engine turns it into an outcome.
            return Ending("opening", Verdict.REFUSED, error.message())
        except (JournalError, CheckpointError, UnfinishedRunError):
            raise
        except OrchestratorError as error:
            return Ending("internal", Verdict.INTERNAL_ERROR, error.message())

    def _open(
        self, journal: Journal, run_id: str, directory: Path, request: ReleaseRequest
    ) -> tuple[Facts, Ending | None]:
        """Freeze plan and project; where no state of the plan chooses the release, choose it now."""
        _write_private(directory, "plan.yaml", self.plan.text)
        row = Ledger().intend(run_id, ArtifactKind.PROJECT, run_id)
        journal.append(run_id, self.ports.clock.now(), "intended", "", Known.of((row,)).to_json())
        project = add_plan(self.ports.workloads.freeze(directory), self.plan)
        facts = Facts.of((project, find_place(self.ports)))
        if not any(self.kinds[spec.kind].refuses_drift for spec in self.plan.states.values()):
            refuse_drift(self.ports.workloads.find_drift(project))
        settled = None
        if not any(TargetRelease in self.kinds[spec.kind].provides for spec in self.plan.states.values()):
            choice = self.ports.finder.find(request)
            facts = facts.joined(Facts.of((choice.current, *([choice.target] if choice.target else []))))
            if choice.target is not None:
                refuse_failed(choice.target, JournalHistory(journal), request)
            else:
                settled = Ending("opening", Verdict.UP_TO_DATE, f"{choice.current.version} is up to date.")
        journal.append(
            run_id, self.ports.clock.now(), "opened", "", Known(facts, Ledger().joined((row.whole(),))).to_json()
        )
        return facts, settled

    def _dry_state(self, build: ContextBuilder, name: str, facts: Facts) -> tuple[DryState, Facts]:
        spec = self.plan.states[name]
        state = self.kinds[spec.kind]()
        deadline = Deadline(self.ports.clock, spec.timeout_s, what=f"State {name}", interruption=self.interruption)
        context = build(spec, Known(facts, Ledger()), deadline)
        does, problem = state.describe(context), ""
        reads_only = state.scope is EffectScope.NOTHING and not state.asks
        if reads_only:
            try:
                result = state.perform(context)
                facts = facts.joined(Facts.of(result.facts))
                does = (*does, result.reason) if result.reason else does
            except InterruptedByOperatorError:
                raise
            except StateError as error:
                problem = self.ports.mask.text(error.message())
        return DryState(name, spec.kind, does, problem), facts


def _boot_id() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text(encoding="ascii").strip() if path.exists() else ""


def _write_private(directory: Path, name: str, text: str) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True)
        write_atomically(directory / name, text.encode(), mode=0o600)  # recovery reads it after a power loss, too
    except OSError as error:
        raise RefusedError(
            "refused.run_folder",
            f"{directory} cannot be written: {error.strerror}.",
            impact="Nothing was touched.",
            hint="Make room, or give this user the right to write there.",
        ) from error
