"""cleanup: what no way back needs any more goes; everything else stays."""

from pathlib import Path

from pydantic import Field

from orchestrator.core.errors import StateError
from orchestrator.core.kind_model import Effects, PlanTraits, Step
from orchestrator.core.ledger import Artifact, ArtifactKind, ArtifactState, NeededUntil
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.state_kind import CrashRule, Options, Result, StateContext, StateKind
from orchestrator.core.store_facts import BackupManifest
from orchestrator.plan.durations import Duration, format_duration


class CleanupOptions(Options):
    """What retention lets go, and when."""

    snapshots: int = 1
    """How many snapshots of committed upgrades stay beside the database, this run's first."""

    quarantine: Duration = Field(default=30 * 86_400.0, json_schema_extra={"default": "30d"})
    """How long a database stays that a run has set aside."""


class Cleanup(StateKind[CleanupOptions]):
    """Works on rows of the ledger, never on patterns; best effort, it never turns success into failure."""

    kind = "cleanup"
    summary = "Remove the backups, snapshots and images that retention lets go."
    scope = EffectScope.FILES
    crash_rule = CrashRule.FORWARD
    timeout_s = 300.0
    Options = CleanupOptions

    @classmethod
    def effects(cls, options: CleanupOptions, traits: PlanTraits) -> Effects:
        """What only a committed run may let go."""
        return Effects(steps=(Step.DISCARD,))

    def describe(self, ctx: StateContext[CleanupOptions]) -> tuple[str, ...]:
        """What stays."""
        return (
            f"keep the {ctx.keep_backups} newest proven backups and {ctx.options.snapshots} snapshot(s);"
            f" drop what has been in quarantine for {format_duration(ctx.options.quarantine)};"
            " remove the frozen projects, secrets included, of runs that nothing leads back to",
        )

    def perform(self, ctx: StateContext[CleanupOptions]) -> Result:
        """Let go what is superfluous; the first thing that cannot be removed ends it."""
        removed: list[Artifact] = []
        try:
            for row in (*_choose_backups(ctx), *_choose_data(ctx), *_choose_others(ctx)):
                _remove(ctx, row)
                removed.append(row.gone())
        except StateError as error:
            return Result("failed", tuple(removed), f"Cleaning up stopped: {error.summary}")
        return Result("done", tuple(removed))


def choose_superfluous(
    receipts: tuple[BackupManifest, ...], keep: int, protected_version: str | None
) -> tuple[Path, ...]:
    """Which files retention lets go: all but the ``keep`` newest, and never the newest of ``protected_version``.

    ``receipts`` are of proven backups only, newest first; a file without a receipt is nobody's business.
    """
    newest_protected = next((r for r in receipts if r.version == protected_version), None)
    # Compared by path: where two receipts name one file, the older one must not take it from the newer one.
    kept = {receipt.path for receipt in (*receipts[:keep], newest_protected) if receipt is not None}
    return tuple(dict.fromkeys(receipt.path for receipt in receipts if receipt.path not in kept))


def _choose_backups(ctx: StateContext[CleanupOptions]) -> tuple[Artifact, ...]:
    receipts, rows = ctx.history.receipts(), ctx.ledger.find(ArtifactKind.BACKUP, states=(ArtifactState.WHOLE,))
    paths: set[Path] = set()
    for store in ctx.stores:
        own = ctx.find(BackupManifest, store.name)
        of_store = tuple(receipt for receipt in receipts if receipt.store == store.name)
        paths.update(choose_superfluous(of_store, ctx.keep_backups, own.version if own else None))
    return tuple(row for row in rows if Path(row.ref) in paths)


def _choose_data(ctx: StateContext[CleanupOptions]) -> tuple[Artifact, ...]:
    """Choose snapshots that nothing leads back to, and data whose time in quarantine is over."""
    now, ended = ctx.ports.clock.now(), {run.run_id: run for run in ctx.history.ended_runs()}
    superfluous = {run for run in _choose_runs(ctx) if ended[run].verdict in (Verdict.COMMITTED, Verdict.ROLLED_BACK)}
    snapshots = [
        row
        for row in ctx.ledger.find(ArtifactKind.SNAPSHOT, states=(ArtifactState.WHOLE,))
        if row.run in superfluous and row.needed_until is NeededUntil.RETENTION
    ]
    aside = [
        row
        for row in ctx.ledger.find(states=(ArtifactState.ASIDE,))
        if row.run in ended and (now - ended[row.run].ended_at).total_seconds() > ctx.options.quarantine
    ]
    there = {store.name for store in ctx.stores}  # a store that the plan has no more keeps what it has
    return tuple(row for row in (*snapshots, *aside) if row.store in there)


def _choose_others(ctx: StateContext[CleanupOptions]) -> tuple[Artifact, ...]:
    superfluous = _choose_runs(ctx)
    return tuple(row for row in ctx.ledger.find(ArtifactKind.IMAGE, ArtifactKind.PROJECT) if row.run in superfluous)


def _choose_runs(ctx: StateContext[CleanupOptions]) -> frozenset[str]:
    # This run is not ended yet, so it is not among them: its own snapshot and image always stay.
    ended = ctx.history.ended_runs()
    committed = [run.run_id for run in ended if run.verdict is Verdict.COMMITTED]
    # The old image of a run that went back is the one that ran on; whatever runs needs no name of ours.
    others = [run.run_id for run in ended if run.verdict is not Verdict.COMMITTED]
    return frozenset((*committed[max(0, ctx.options.snapshots - 1) :], *others))


def _remove(ctx: StateContext[CleanupOptions], row: Artifact) -> None:
    if row.kind is ArtifactKind.BACKUP:
        ctx.ports.backups.remove(Path(row.ref))
    elif row.kind is ArtifactKind.IMAGE:
        ctx.ports.images.forget(row.ref)
    elif row.kind is ArtifactKind.PROJECT:
        ctx.ports.workloads.forget_project(ctx.directory.parent / row.ref)
    else:
        ctx.store(row.store).discard(row.ref)
