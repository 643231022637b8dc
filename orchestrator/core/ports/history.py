"""What earlier runs have left."""

from typing import Protocol

from orchestrator.core.earlier_runs import CommittedRun, EndedRun, FailedRun
from orchestrator.core.store_facts import BackupManifest


class History(Protocol):
    """What earlier runs of this project have left, as the journal knows it."""

    def receipts(self) -> tuple[BackupManifest, ...]:
        """Receipts of backups that were not removed since, newest first."""

    def ended_runs(self) -> tuple[EndedRun, ...]:
        """Runs that are over, newest first."""

    def find_failure(self, digest: str) -> FailedRun | None:
        """The newest run that could not stay on the release with this digest, if none has stayed on it since."""

    def find_failed_trial(self, digest: str) -> FailedRun | None:
        """The newest run that tried the release with this digest on a copy, if the release failed there."""

    def last_commit(self) -> CommittedRun | None:
        """The newest run that changed the version for good."""
