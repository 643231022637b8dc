"""Looking at what earlier runs have left, and letting go of it on request; never the way of an upgrade."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from orchestrator.core.deadline import Deadline, Interruption
from orchestrator.core.errors import JournalError, StateError, UsageError
from orchestrator.core.facts import Known
from orchestrator.core.ledger import Artifact, ArtifactState, Ledger
from orchestrator.core.model.progress import Progress
from orchestrator.core.ports.recovery import Recovery
from orchestrator.core.state_kind import Ports
from orchestrator.core.store_facts import BackupManifest
from orchestrator.journal.history import JournalHistory
from orchestrator.journal.journal import Journal, Record, Run
from orchestrator.journal.lock import project_lock
from orchestrator.plan.schema import Plan
from orchestrator.reports.report import RunReport, build_report

_PROVE_TIMEOUT_S = 6 * 3600.0


@dataclass(frozen=True)
class BackupCheck:
    """A backup that was read back; ``problem`` is empty when it is what its receipt says."""

    receipt: BackupManifest
    problem: str


@dataclass(frozen=True)
class KeptDatabase:
    """A database that a run has set aside. ``size_bytes`` is None where the server cannot be asked or lacks it."""

    run_id: str
    database: str
    since: datetime | None
    size_bytes: int | None


@dataclass(frozen=True)
class Records:
    """The journal of one plan's project, and what it says should be there."""

    plan: Plan
    ports: Ports
    interruption: Interruption = field(default_factory=Interruption)

    def reports(self) -> tuple[RunReport, ...]:
        """All runs of the project, newest first."""
        with self._reading() as journal:
            return tuple(build_report(run, journal.records(run.id), self.ports.recovery) for run in journal.runs())

    def report(self, run_id: str) -> RunReport:
        """One run.

        Raises:
            UsageError: the journal knows no such run.
        """
        found = next((report for report in self.reports() if report.run.id == run_id), None)
        if found is None:
            raise no_such_run(run_id, self.plan.journal_directory)
        return found

    def receipts(self) -> tuple[BackupManifest, ...]:
        """Proven backups that are still kept, newest first."""
        with self._reading() as journal:
            return JournalHistory(journal).receipts()

    def quarantines(self) -> tuple[KeptDatabase, ...]:
        """Databases that runs have set aside and that were not dropped yet, newest first."""
        with self._reading() as journal:
            ledger, ended = journal.ledger(), JournalHistory(journal).ended_runs()
        kept = [(run, row) for run in ended for row in _find_aside(ledger, run.run_id)]
        sizes = self._sizes() if kept else {}
        return tuple(
            KeptDatabase(run.run_id, row.ref, run.ended_at, sizes.get((row.store, row.ref))) for run, row in kept
        )

    def find_quarantine(self, run_id: str) -> KeptDatabase:
        """What a run has set aside.

        Raises:
            UsageError: it has set nothing aside, or that was dropped already.
        """
        found = next((kept for kept in self.quarantines() if kept.run_id == run_id), None)
        if found is None:
            raise UsageError(
                "usage.no_quarantine",
                f"Run {run_id} has no database in quarantine.",
                impact="Nothing was dropped.",
                hint="`orchestrator backups list` names those that are there.",
            )
        return found

    def drop_quarantine(self, run_id: str) -> KeptDatabase:
        """Drop for ever what a run has set aside.

        Raises:
            UsageError: as `find_quarantine`. BusyError: a run is at work.
            DatabaseError: somebody is connected to it.
        """
        with open_journal(self.plan, self.ports, run_id) as journal:
            kept = self.find_quarantine(run_id)
            stores = {store.name: store for store in self.ports.stores}
            gone = [row.gone() for row in _find_aside(journal.ledger(), run_id) if row.ref == kept.database]
            for row in gone:
                if row.store in stores:
                    stores[row.store].discard(row.ref)
            payload = {"text": f"{kept.database} was dropped.", **Known.of(gone).to_json()}
            journal.append(run_id, self.ports.clock.now(), "noted", "", payload)
        return kept

    def verify_backups(self, path: Path | None, *, report: Callable[[Progress], None]) -> tuple[BackupCheck, ...]:
        """Read backups back in full and compare them with their receipts.

        Raises:
            UsageError: the journal knows no receipt for ``path``.
        """
        receipts = [r for r in self.receipts() if path is None or is_same_place(r.path, path)]
        if path is not None and not receipts:
            raise UsageError(
                "usage.no_receipt",
                f"The journal has no receipt for {path}, so nobody can say what should be in it.",
                hint="`orchestrator backups list` names the backups that it knows.",
            )
        return tuple(self._verify(receipt, report) for receipt in receipts)

    def _reading(self) -> closing[Journal]:
        return _read_journal(self.plan)

    def _sizes(self) -> dict[tuple[str, str], int]:
        try:
            return {(store.name, ref): size for store in self.ports.stores for ref, size in store.sizes().items()}
        except StateError:
            return {}  # a list is still a list when the server is down

    def _verify(self, receipt: BackupManifest, report: Callable[[Progress], None]) -> BackupCheck:
        deadline = Deadline(
            self.ports.clock, _PROVE_TIMEOUT_S, what="Reading the backup", interruption=self.interruption
        )
        try:
            proof = self.ports.backups.prove(receipt.path, report=report, deadline=deadline)
        except StateError as error:
            return BackupCheck(receipt, error.summary)
        if proof.sha256 != receipt.sha256:
            return BackupCheck(receipt, "it is another file than the one that was proven")
        return BackupCheck(receipt, "")


def _find_aside(ledger: Ledger, run_id: str) -> tuple[Artifact, ...]:
    return ledger.find(run=run_id, states=(ArtifactState.ASIDE,))


def no_such_run(run_id: str, folder: Path) -> UsageError:
    """The error where the journal in a folder knows no such run."""
    what = f"There is no run {run_id} in {folder}."
    return UsageError("usage.no_such_run", what, hint="`orchestrator history` lists them.")


@contextmanager
def open_journal(plan: Plan, ports: Ports, run_id: str, found: Journal | None = None) -> Iterator[Journal]:
    """Open the journal of a project for writing, with the project locked for ``run_id``.

    ``found`` is the journal where a run was found in it before the lock was held; it is not opened again.
    """
    folder = plan.target.project / ".orchestrator"
    if found is not None and found.path.parent.resolve() != plan.journal_directory.resolve():
        found.close()
        found = None
    with (
        closing(found) if found is not None else nullcontext(),
        project_lock(folder, run_id=run_id, describe=partial(_describe_owner, plan.journal_directory)),
        closing(found.go_on(ports.mask) if found else Journal.open(plan.journal_directory, ports.mask)) as journal,
    ):
        yield journal


def read_run(plan: Plan, run_id: str) -> tuple[Run, tuple[Record, ...]]:
    """A run of the plan's project, and all its records.

    Raises:
        UsageError: ``usage.no_journal``, ``usage.no_such_run``.
    """
    with _read_journal(plan) as journal:
        run = journal.find_run(run_id)
        if run is None:
            raise no_such_run(run_id, plan.journal_directory)
        return run, journal.records(run_id)


def read_report(journal: Journal, run_id: str, recovery: Recovery) -> RunReport:
    """The report of a run that is in the journal."""
    run = journal.find_run(run_id)
    if run is None:
        raise JournalError("journal.run_vanished", f"Run {run_id} is not in the journal any more.")
    return build_report(run, journal.records(run_id), recovery)


def _read_journal(plan: Plan) -> closing[Journal]:
    journal = Journal.open_existing(plan.journal_directory)
    if journal is None:
        raise UsageError(
            "usage.no_journal",
            f"There was no run yet: {plan.journal_directory} has no journal.",
            hint="`orchestrator run PLAN --dry-run` shows what a run would do.",
        )
    return closing(journal)


def _describe_owner(folder: Path) -> str:
    try:
        journal = Journal.open_existing(folder)
        if journal is None:
            return ""
        with closing(journal):
            run = journal.find_unfinished()
            entered = [record for record in journal.records(run.id) if record.record == "entered"] if run else []
    except JournalError:
        return ""  # that it is busy must be said all the same
    if run is None:
        return ""
    if not entered:
        return f"{run.id} has just begun."
    return f"{run.id} has been in {entered[-1].state} since {entered[-1].at:%H:%M:%S} UTC."


def end_what_works(ports: Ports, run_id: str) -> None:
    """End what a run that was cut off has left at work: its jobs, its stage and its programs in the server.

    Repeating is harmless.
    """
    ports.workloads.end_jobs(run_id)
    if ports.trials is not None:
        ports.trials.remove_all(run_id)
    for store in ports.stores:
        store.end_abandoned()  # a copy that is still being made appears only when it is whole


def is_same_place(one: Path, other: Path) -> bool:
    """Whether two paths name one entry of one folder; a link in its place is that entry, not what it leads to."""
    return one.name == other.name and one.parent.resolve() == other.parent.resolve()
