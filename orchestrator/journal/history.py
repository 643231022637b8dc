"""What earlier runs have left, read from the journal: backups, databases, image names, releases that failed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from orchestrator.core.facts import (
    BackupManifest,
    Committed,
    CommittedRun,
    Current,
    Facts,
    FailedRun,
    Intent,
    Leftovers,
    PulledImage,
    Quarantine,
    Replacement,
    Retention,
    RollbackDecision,
    Snapshot,
    TargetRelease,
)
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.owners import Owner
from orchestrator.journal.failures import find_failure
from orchestrator.journal.journal import Journal, Run

_FAILED = (Verdict.ROLLED_BACK, Verdict.NEEDS_OPERATOR)
_CUT_OFF = "cut_off"  # end of a run that was killed: that says nothing about its release
_TRIAL = "rehearse"


@dataclass(frozen=True)
class JournalHistory:
    """Implements `orchestrator.core.ports.history.History`. Reads the journal anew for every question."""

    journal: Journal

    def receipts(self) -> tuple[BackupManifest, ...]:
        """Receipts of backups that no cleanup has removed, newest first."""
        return _Past.read(self.journal).receipts

    def leftovers(self) -> tuple[Leftovers, ...]:
        """What ended runs have kept, newest run first."""
        return _Past.read(self.journal).leftovers

    def find_failure(self, digest: str) -> FailedRun | None:
        """The newest run that could not stay on the release with this digest, if none has stayed on it since."""
        return _Past.read(self.journal).find_failure(digest)

    def find_failed_trial(self, digest: str) -> FailedRun | None:
        """The newest run that tried the release with this digest on a copy, if the release failed there."""
        return _Past.read(self.journal).find_failed_trial(digest)

    def last_commit(self) -> CommittedRun | None:
        """The newest run that changed the version for good."""
        return _Past.read(self.journal).last_commit


@dataclass(frozen=True)
class _Past:
    """All runs, newest first, each with what it has proven."""

    runs: tuple[tuple[Run, Facts], ...]
    journal: Journal

    @classmethod
    def read(cls, journal: Journal) -> _Past:
        return cls(tuple((run, journal.facts(run.id)) for run in journal.runs()), journal)

    @cached_property
    def removed(self) -> Retention:
        """All that cleanups and operators have removed so far."""
        found = [retention for _, facts in self.runs if (retention := facts.find(Retention))]
        return Retention(
            backups=tuple(path for each in found for path in each.backups),
            databases=tuple(name for each in found for name in each.databases),
            images=tuple(name for each in found for name in each.images),
            projects=tuple(run_id for each in found for run_id in each.projects),
        )

    @property
    def receipts(self) -> tuple[BackupManifest, ...]:
        # By the order of the runs: after a clock was set back, what is newest would look oldest.
        found = [receipt for _, facts in self.runs for receipt in _receipts(facts)]
        return tuple(receipt for receipt in found if receipt.path not in self.removed.backups)

    @property
    def leftovers(self) -> tuple[Leftovers, ...]:
        return tuple(self._leftovers(run, facts) for run, facts in self.runs if run.verdict is not None)

    @property
    def last_commit(self) -> CommittedRun | None:
        for run, facts in self.runs:
            current, target = facts.find(Current), facts.find(TargetRelease)
            if run.verdict is not Verdict.COMMITTED or current is None or target is None:
                continue
            if run.ended_at is not None and target.digest != current.digest:
                committed = facts.find(Committed)
                return CommittedRun(
                    mark=committed.mark if committed else None,
                    run_id=run.id,
                    ended_at=run.ended_at,
                    current=current,
                    target=target,
                    snapshot=self._follow(facts.find(Snapshot)) if self._snapshot(run, facts) else None,
                )
        return None

    def _follow(self, snapshot: Snapshot | None) -> Snapshot | None:
        """Where the data of a snapshot are after ways back that were tried with it and had to be taken back."""
        if snapshot is None or snapshot.database is None:
            return snapshot
        name = snapshot.database
        while name in self._put_aside_again:
            name = self._put_aside_again[name]
        return snapshot.model_copy(update={"database": name})

    def find_failure(self, digest: str) -> FailedRun | None:
        for run, facts in self.runs:
            current, target = facts.find(Current), facts.find(TargetRelease)
            stayed = run.verdict is Verdict.COMMITTED
            if target is not None and target.digest == digest and (stayed or self._failed(run)):
                return None if stayed else FailedRun(run_id=run.id, reason=run.reason)
            returned = stayed and facts.find(Replacement) is not None
            if returned and target and current and current.digest == digest != target.digest:
                reason = f"Its operator went back from it to {target.release.version}."
                return FailedRun(run_id=run.id, reason=reason)
        return None

    def find_failed_trial(self, digest: str) -> FailedRun | None:
        for run, facts in self.runs:
            target = facts.find(TargetRelease)
            if target is None or target.digest != digest:
                continue
            failure = find_failure(self.journal.records(run.id)) if run.verdict is Verdict.REFUSED else None
            if failure is None or failure.kind != _TRIAL or failure.owner is not Owner.RELEASE:
                return None
            return FailedRun(run_id=run.id, reason=run.reason, at=run.ended_at)
        return None

    # Whatever it was that kept a run from staying: what is not the release's says nothing about it.
    def _failed(self, run: Run) -> bool:
        if run.verdict not in _FAILED or run.end_state == _CUT_OFF:
            return False
        failure = find_failure(self.journal.records(run.id))
        return failure is None or failure.of_release

    def _leftovers(self, run: Run, facts: Facts) -> Leftovers:
        image, quarantine, intent = facts.find(PulledImage), facts.find(Quarantine), facts.find(Intent)
        kept_image = image.kept_as if image else intent.kept_image if intent else None
        set_aside = quarantine.database if quarantine else None
        gone = {*self.removed.databases, *self._swapped_in, *self._put_aside_again}
        return Leftovers(
            run_id=run.id,
            ended_at=run.ended_at,
            committed=run.verdict is Verdict.COMMITTED,
            snapshot=self._snapshot(run, facts),
            quarantine=set_aside if set_aside not in gone else None,
            project=run.id not in self.removed.projects,
            kept_image=kept_image if kept_image not in self.removed.images else None,
        )

    def _snapshot(self, run: Run, facts: Facts) -> str | None:
        snapshot = facts.find(Snapshot)
        if snapshot is None or not _is_superfluous(run, facts) or snapshot.database in self._used:
            return None
        return snapshot.database if snapshot.database not in self.removed.databases else None

    @cached_property
    def _used(self) -> frozenset[str]:
        """Databases that have got another name since: swapped in, or set aside with what users wrote."""
        quarantines = [found.database for _, facts in self.runs if (found := facts.find(Quarantine))]
        return frozenset((*quarantines, *self._swapped_in))

    @cached_property
    def _swapped_in(self) -> frozenset[str]:
        return frozenset(found.restored_from for _, facts in self.runs if (found := facts.find(Quarantine)))

    @cached_property
    def _put_aside_again(self) -> dict[str, str]:
        """Name that data had before they were swapped in on request → where they are since that was taken back."""
        found = [(facts.find(Replacement), facts.find(Quarantine)) for run, facts in self.runs if _went_back(run)]
        return {one.database: other.database for one, other in found if one is not None and other is not None}


def _went_back(run: Run) -> bool:
    return run.verdict is Verdict.ROLLED_BACK


# After a swap the snapshot bears the live name, and where an operator is needed it is his. It is left under its own
# name by a run that was committed, and by one that went back without it because nothing had been written.
def _is_superfluous(run: Run, facts: Facts) -> bool:
    way = facts.find(RollbackDecision)
    unwritten = run.verdict is Verdict.ROLLED_BACK and (way is None or way.decision == "image_only")
    return run.verdict is Verdict.COMMITTED or unwritten


def _receipts(facts: Facts) -> tuple[BackupManifest, ...]:
    # The dump that takes a snapshot's place is a proven backup like any other, and newer than that of its run.
    backup, snapshot = facts.find(BackupManifest), facts.find(Snapshot)
    return tuple(found for found in (snapshot.backup if snapshot else None, backup) if found is not None)
