"""Runs that are over, as later ones look at them."""

from datetime import datetime

from pydantic import Field

from orchestrator.core.facts import Current, TargetRelease
from orchestrator.core.ledger import Artifact
from orchestrator.core.model.base import FrozenModel
from orchestrator.core.model.stores import ChangeToken
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.store_facts import Snapshot


class EndedRun(FrozenModel):
    """A run that is over."""

    run_id: str
    ended_at: datetime
    verdict: Verdict


class FailedRun(FrozenModel):
    """A run that could not stay on its release or was refused by its rehearsal, and why."""

    run_id: str
    reason: str
    at: datetime | None = None


class KeptSnapshot(FrozenModel):
    """A snapshot that still lies beside the live data, with its row."""

    snapshot: Snapshot
    replica: Artifact


class CommittedRun(FrozenModel):
    """A run after which the version of ``target`` stayed.

    ``snapshots`` by store, those that are still kept; ``marks`` as in `Committed`.
    """

    run_id: str
    ended_at: datetime
    current: Current
    target: TargetRelease
    snapshots: dict[str, KeptSnapshot] = Field(default_factory=dict)
    marks: dict[str, ChangeToken] = Field(default_factory=dict)
