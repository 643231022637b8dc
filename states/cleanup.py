"""cleanup: what no way back needs any more goes; everything else stays."""

from pathlib import Path

from pydantic import Field

from orchestrator.core.errors import StateError
from orchestrator.core.facts import BackupManifest, Leftovers, Retention
from orchestrator.core.kind_model import Effects, PlanTraits, Step
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.state_kind import CrashRule, Options, Result, StateContext, StateKind
from orchestrator.plan.durations import Duration, format_duration


class CleanupOptions(Options):
    """What retention lets go, and when."""

    snapshots: int = 1
    """How many snapshots of committed upgrades stay beside the database, this run's first."""

    quarantine: Duration = Field(default=30 * 86_400.0, json_schema_extra={"default": "30d"})
    """How long a database stays that a run has set aside."""


class Cleanup(StateKind[CleanupOptions]):
    """Works on lists from the journal, never on patterns; best effort, it never turns success into failure."""

    kind = "cleanup"
    summary = "Remove the backups, snapshots and images that retention lets go."
    scope = EffectScope.FILES
    crash_rule = CrashRule.FORWARD
    timeout_s = 300.0
    provides = (Retention,)
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
        removed = Retention()
        try:
            removed = removed.model_copy(update={"backups": _remove_backups(ctx)})
            removed = removed.model_copy(update=_remove_leftovers(ctx))
        except StateError as error:
            return Result("failed", (removed,), f"Cleaning up stopped: {error.summary}")
        return Result("done", (removed,))


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


def _remove_backups(ctx: StateContext[CleanupOptions]) -> tuple[Path, ...]:
    own = ctx.find(BackupManifest)
    superfluous = choose_superfluous(ctx.history.receipts(), ctx.keep_backups, own.version if own else None)
    for path in superfluous:
        ctx.ports.backups.remove(path)
    return superfluous


def _remove_leftovers(ctx: StateContext[CleanupOptions]) -> dict[str, tuple[str, ...]]:
    # This run is not ended yet, so it is not among the leftovers: its own snapshot and image always stay.
    ended = ctx.history.leftovers()
    superfluous = [run for run in ended if run.committed][max(0, ctx.options.snapshots - 1) :]
    # The old image of a run that went back is the one that ran on; whatever runs needs no name of ours.
    superfluous += [run for run in ended if not run.committed]
    databases = [run.snapshot for run in superfluous if run.snapshot]
    databases += [run.quarantine for run in ended if run.quarantine and _is_over(ctx, run)]
    images = [run.kept_image for run in superfluous if run.kept_image]
    for name in databases if ctx.ports.database is not None else ():
        ctx.database().drop(name)
    for name in images:
        ctx.ports.images.forget(name)
    projects = [run.run_id for run in superfluous if run.project]
    for run_id in projects:
        ctx.ports.platform.forget_project(ctx.directory.parent / run_id)
    return {"databases": tuple(databases), "images": tuple(images), "projects": tuple(projects)}


def _is_over(ctx: StateContext[CleanupOptions], run: Leftovers) -> bool:
    since = run.ended_at
    return since is not None and (ctx.ports.clock.now() - since).total_seconds() > ctx.options.quarantine
