"""drop_restored: drop the database that `restore_beside` has restored, if it was not swapped in."""

from orchestrator.core.kind_model import Effects, PlanTraits
from orchestrator.core.ledger import Artifact, ArtifactKind, ArtifactState
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind


class DropRestored(StateKind[Options]):
    """Drops what the ledger says that this very run has restored, and nothing else."""

    kind = "drop_restored"
    former_names = ("discard",)
    summary = "Drop the database that this run has restored beside the live one."
    scope = EffectScope.FILES
    crash_rule = CrashRule.REPEAT
    timeout_s = 300.0
    compensation = True
    interruptible = False
    needs_database = True

    @classmethod
    def effects(cls, options: Options, traits: PlanTraits) -> Effects:
        """Nothing that anybody needs."""
        return Effects()

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        """What goes."""
        return ("drop the database that was restored beside",)

    def perform(self, ctx: StateContext[Options]) -> Result:
        """Drop it, if it is there."""
        rows = _find_restored(ctx)
        for row in rows:
            ctx.store(row.store).discard(row.ref)
        return Result("done", tuple(row.gone() for row in rows))

    def observe(self, ctx: StateContext[Options]) -> Observation:
        """It is not there."""
        there = any(row.ref in ctx.store(row.store).sizes() for row in _find_restored(ctx, ArtifactState.GONE))
        return Observation.PARTIAL if there else Observation.DONE


def _find_restored(ctx: StateContext[Options], *also: ArtifactState) -> tuple[Artifact, ...]:
    states = (ArtifactState.INTENDED, ArtifactState.WHOLE, *also)
    own = (row for row in ctx.ledger.rows.values() if row.kind is ArtifactKind.RESTORED and row.run == ctx.run_id)
    return tuple(row for row in own if row.state in states)
