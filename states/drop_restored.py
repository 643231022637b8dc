"""drop_restored: drop the database that `restore_beside` has restored, if it was not swapped in."""

from orchestrator.core.kind_model import Effects, PlanTraits
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind
from states.shared.backup_proof import side_name


class DropRestored(StateKind[Options]):
    """Drops by the name that this very run has given, and nothing else."""

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
        database = ctx.database()
        database.drop(side_name(database.inspect().name, ctx.run_id))
        return Result("done")

    def observe(self, ctx: StateContext[Options]) -> Observation:
        """It is not there."""
        database = ctx.database()
        there = side_name(database.inspect().name, ctx.run_id) in database.sizes()
        return Observation.PARTIAL if there else Observation.DONE
