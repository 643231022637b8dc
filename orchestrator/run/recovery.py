"""Taking up a run that was cut off: what it left at work ends first, then it goes on from where the journal ends."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.core.deadline import Interruption
from orchestrator.core.errors import CheckpointError, JournalError, OrchestratorError, StateError, UnfinishedRunError
from orchestrator.core.facts import Committed, Facts, FrozenProject, Known, Serving, Started
from orchestrator.core.ledger import ArtifactKind, ArtifactState
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.core.state_kind import Ports, StateKind
from orchestrator.core.store_facts import Fence
from orchestrator.journal.journal import Journal, Run
from orchestrator.machine.resume import (
    How,
    Mode,
    ResumeAction,
    choose_action,
    count_attempts,
    count_transitions,
    is_touched,
)
from orchestrator.plan.schema import Plan
from orchestrator.reports.report import RunReport
from orchestrator.run.drift import note_edits
from orchestrator.run.finish import finish_run
from orchestrator.run.host_identity import require_place
from orchestrator.run.listener import Listener
from orchestrator.run.past_runs import end_what_works, open_journal
from orchestrator.run.runner import Ending, Engine

_ENDS = {How.ABANDON: Verdict.REFUSED, How.GIVE_UP: Verdict.NEEDS_OPERATOR}

Announce = Callable[[Run, ResumeAction], None]


@dataclass(frozen=True)
class Takeover:
    """The plan of the run as it was confirmed, and the world that it is about; ``journal``: the run's, open already."""

    plan: Plan
    kinds: Mapping[str, type[StateKind[Any]]]
    ports: Ports
    interruption: Interruption = field(default_factory=Interruption)
    journal: Journal | None = None

    def take_up(
        self, mode: Mode, *, announce: Announce, listener: Listener, warn: Callable[[str], None] = lambda _: None
    ) -> RunReport | None:
        """Bring the unfinished run of the project to an end; None where there is none.

        ``announce`` is told what was found and what follows, and ``warn`` what was edited meanwhile, before
        anything is done.

        Raises:
            BusyError: the run is at work. UnfinishedRunError: this is another engine or server than the run's.
            JournalError: what happens could not be recorded, so nothing more was done.
        """
        with open_journal(self.plan, self.ports, f"{mode.value} of an unfinished run", self.journal) as journal:
            run = journal.find_unfinished()
            if run is None:
                return None
            records = journal.records(run.id)
            move = choose_action(self.plan, self.kinds, records, mode)
            announce(run, move)
            for text in note_edits(journal, run.id, self.plan, self.ports):
                warn(text)
            ending = self._go_on(journal, run, move, mode, listener)
            return finish_run(journal, run.id, ending, self.plan, self.ports, self.interruption.signal)

    def _go_on(self, journal: Journal, run: Run, move: ResumeAction, mode: Mode, listener: Listener) -> Ending:
        facts = journal.facts(run.id)
        if (project := facts.find(FrozenProject)) is not None:
            self.ports.workloads.adopt(project)
        with _still_unfinished(run):
            require_place(facts, self.ports)
            payload = {"mode": mode.value, "found": move.found, "how": move.how.value, "reason": move.reason}
            journal.append(run.id, self.ports.clock.now(), "resumed", move.state, payload)
            if move.how in _ENDS:
                return Ending(move.state, _ENDS[move.how], f"{move.found} {move.reason}")
            records = journal.records(run.id)
            self.interruption.may_leave = is_touched(self.kinds, records)
            self._end_what_is_left(journal, run.id, move, facts)
            return Engine(self.plan, self.kinds, self.ports, journal, listener, self.interruption).walk(
                run.id,
                self.plan.journal_directory / "runs" / run.id,
                facts,
                _read_request(run),
                assume_yes=bool(run.request.get("assume_yes")),
                move=move,
                attempts=count_attempts(records),
                taken=count_transitions(records),
            )

    # In this order: what still works is ended, what it may have opened is closed, and only then anything is done.
    def _end_what_is_left(self, journal: Journal, run_id: str, move: ResumeAction, facts: Facts) -> None:
        end_what_works(self.ports, run_id)
        with suppress(StateError):  # what cannot be taken away now is in nobody's way
            self._remove_unfinished(journal, run_id)
        if self._is_let_in(move, facts):
            return
        for store in self.ports.stores:
            fence = facts.find(Fence, store.name)
            if fence is not None and fence.database in store.sizes():
                store.close(fence.database)
                store.evict(fence.database)

    def _remove_unfinished(self, journal: Journal, run_id: str) -> None:
        """Remove copies and dumps of which the ledger does not say that they are whole: nobody has relied on them."""
        ledger = journal.ledger()
        # Of any run: where the clock was set back, an earlier one may have a proven file of the same name.
        proven = {row.ref for row in ledger.find(ArtifactKind.BACKUP, states=(ArtifactState.WHOLE,))}
        kinds, states = (ArtifactKind.BACKUP, ArtifactKind.SNAPSHOT), (ArtifactState.INTENDED,)
        gone = tuple(row.gone() for row in ledger.find(*kinds, run=run_id, states=states) if row.ref not in proven)
        stores = {store.name: store for store in self.ports.stores}
        for row in gone:
            store = stores.get(row.store)
            if row.kind is ArtifactKind.BACKUP:
                self.ports.backups.remove(Path(row.ref))
            elif store is not None and row.ref in store.sizes():
                store.discard(row.ref)
        if gone:
            journal.append(run_id, self.ports.clock.now(), "removed", "", Known.of(gone).to_json())

    def _is_let_in(self, move: ResumeAction, facts: Facts) -> bool:
        """Whether a version was let in that must not be kept out; who goes back from there closes the database."""
        if move.state in self.plan.ends or any(facts.find(fact) for fact in (Started, Committed, Serving)):
            return True
        return self.kinds[self.plan.states[move.state].kind].crash_rule.app_may_be_up


@contextmanager
def _still_unfinished(run: Run) -> Iterator[None]:
    try:
        yield
    except (JournalError, CheckpointError, UnfinishedRunError):
        raise
    except OrchestratorError as error:
        # The world could not be looked at, so nothing more was done to it: the same command tries again.
        raise UnfinishedRunError(
            "run.still_unfinished",
            f"Run {run.id} could not go on: {error.summary}",
            impact="It has no end yet; what it had reached is as it was.",
            hint=error.hint or "Look at what is said above, then run the same command again.",
        ) from error


def _read_request(run: Run) -> ReleaseRequest:
    known = ReleaseRequest.__dataclass_fields__
    return ReleaseRequest(**{name: value for name, value in run.request.items() if name in known})
