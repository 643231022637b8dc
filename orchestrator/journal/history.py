"""What earlier runs have left, read from the journal: backups, databases, image names, releases that failed."""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.core.earlier_runs import CommittedRun, EndedRun, FailedRun, KeptSnapshot
from orchestrator.core.facts import Committed, Current, Facts, TargetRelease
from orchestrator.core.ledger import Artifact, ArtifactKind, ArtifactState
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.owners import Owner
from orchestrator.core.store_facts import BackupManifest, Snapshot
from orchestrator.journal.failures import Failure, find_failure
from orchestrator.journal.journal import Journal, Run

_FAILED = (Verdict.ROLLED_BACK, Verdict.NEEDS_OPERATOR)
_CUT_OFF = "cut_off"  # end of a run that was killed: that says nothing about its release
_TRIAL = "rehearse"


@dataclass(frozen=True)
class JournalHistory:
    """Implements `orchestrator.core.ports.history.History`; a project without a journal has no earlier runs.

    Reads the journal anew for every question.
    """

    journal: Journal | None

    def receipts(self) -> tuple[BackupManifest, ...]:
        """Receipts of backups that no cleanup has removed, newest first."""
        # By the order of the runs: after a clock was set back, what is newest would look oldest.
        whole = {(row.run, row.ref) for row in self._find_artifacts(ArtifactKind.BACKUP, ArtifactState.WHOLE)}
        found = [(run.id, receipt) for run, facts in self._read_runs() for receipt in _receipts(facts)]
        return tuple(receipt for run, receipt in found if (run, str(receipt.path)) in whole)

    def ended_runs(self) -> tuple[EndedRun, ...]:
        """Runs that are over, newest first."""
        return tuple(
            EndedRun(run_id=run.id, ended_at=run.ended_at, verdict=run.verdict)
            for run in (self.journal.runs() if self.journal else ())
            if run.ended_at is not None and run.verdict is not None
        )

    def find_failure(self, digest: str) -> FailedRun | None:
        """The newest run that could not stay on the release with this digest, if none has stayed on it since."""
        for run, facts in self._read_runs():
            current, target = facts.find(Current), facts.find(TargetRelease)
            stayed = run.verdict is Verdict.COMMITTED
            if target is not None and target.digest == digest and (stayed or self._failed(run)):
                return None if stayed else FailedRun(run_id=run.id, reason=run.reason)
            returned = stayed and run.request.get("operation", "upgrade") != "upgrade"
            if returned and target and current and current.digest == digest != target.digest:
                reason = f"Its operator went back from it to {target.release.version}."
                return FailedRun(run_id=run.id, reason=reason)
        return None

    def find_failed_trial(self, digest: str) -> FailedRun | None:
        """The newest run that tried the release with this digest on a copy, if the release failed there."""
        for run, facts in self._read_runs():
            target = facts.find(TargetRelease)
            if target is None or target.digest != digest:
                continue
            failure = self._find_failure_of(run) if run.verdict is Verdict.REFUSED else None
            if failure is None or failure.kind != _TRIAL or failure.owner is not Owner.RELEASE:
                return None
            return FailedRun(run_id=run.id, reason=run.reason, at=run.ended_at)
        return None

    def last_commit(self) -> CommittedRun | None:
        """The newest run that changed the version for good."""
        for run, facts in self._read_runs():
            current, target = facts.find(Current), facts.find(TargetRelease)
            if run.verdict is not Verdict.COMMITTED or current is None or target is None:
                continue
            if run.ended_at is not None and target.digest != current.digest:
                committed = facts.find(Committed)
                return CommittedRun(
                    marks=committed.marks if committed else {},
                    run_id=run.id,
                    ended_at=run.ended_at,
                    current=current,
                    target=target,
                    snapshots=dict(self._find_kept(run, facts)),
                )
        return None

    def _read_runs(self) -> Iterator[tuple[Run, Facts]]:
        """All runs, newest first, each with what it has proven."""
        if self.journal is not None:
            yield from ((run, self.journal.facts(run.id)) for run in self.journal.runs())

    def _find_artifacts(self, kind: ArtifactKind, *states: ArtifactState) -> tuple[Artifact, ...]:
        return self.journal.ledger().find(kind, states=states) if self.journal else ()

    def _find_kept(self, run: Run, facts: Facts) -> Iterator[tuple[str, KeptSnapshot]]:
        """Where the data of the stop are, also after a way back that was tried with them and taken back."""
        beside = self._find_artifacts(ArtifactKind.SNAPSHOT, ArtifactState.WHOLE, ArtifactState.ASIDE)
        for snapshot in facts.find_all(Snapshot):
            own = (row for row in beside if row.made_by == run.id and row.store == snapshot.store)
            if (replica := next(own, None)) is not None:
                at = snapshot.model_copy(update={"database": replica.ref})
                yield snapshot.store, KeptSnapshot(snapshot=at, replica=replica)

    def _find_failure_of(self, run: Run) -> Failure | None:
        return find_failure(self.journal.records(run.id)) if self.journal else None

    # Whatever it was that kept a run from staying: what is not the release's says nothing about it.
    def _failed(self, run: Run) -> bool:
        if run.verdict not in _FAILED or run.end_state == _CUT_OFF:
            return False
        failure = self._find_failure_of(run)
        return failure is None or failure.of_release


def _receipts(facts: Facts) -> tuple[BackupManifest, ...]:
    # The dump that takes a snapshot's place is a proven backup like any other, and newer than that of its run.
    dumps = (snapshot.backup for snapshot in facts.find_all(Snapshot) if snapshot.backup is not None)
    return (*dumps, *facts.find_all(BackupManifest))
