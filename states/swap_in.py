"""swap_in: put the database that lies beside in the place of the live one, and set that aside."""

from orchestrator.core.facts import Fence, Quarantine, Replacement, Snapshot
from orchestrator.core.kind_model import Capability, Effects, PlanTraits, Step
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind


class SwapIn(StateKind[Options]):
    """Two renames in one transaction. What was live is what a way back swaps in again; after a commit it stays as
    a quarantine with all that users have saved in it.
    """

    kind = "swap_in"
    former_names = ("reinstate",)
    summary = "Swap the database that lies beside with the live one."
    scope = EffectScope.DATABASE
    crash_rule = CrashRule.RESTORE
    timeout_s = 120.0
    provides = (Snapshot, Quarantine)
    needs_database = True

    @classmethod
    def effects(cls, options: Options, traits: PlanTraits) -> Effects:
        """Other data; what was live is what a way back swaps in."""
        return Effects(
            needs=(Capability.FENCE, Capability.REPLACEMENT), prepares=Capability.SNAPSHOT, steps=(Step.SWAP_DATABASE,)
        )

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        """What is swapped."""
        return ("swap the other database in, in one transaction; keep the present one aside",)

    def prepare(self, ctx: StateContext[Options]) -> tuple[Snapshot]:
        """Under which name a way back will find the present data."""
        database = ctx.database()
        facts = database.inspect()
        return (
            Snapshot(
                database=replaced_name(facts.name, ctx.run_id),
                source=facts.name,
                size_bytes=facts.size_bytes,
                mark=database.mark(facts.name),
                taken_at=ctx.ports.clock.now(),
            ),
        )

    def perform(self, ctx: StateContext[Options]) -> Result:
        """End what is connected, then swap."""
        database, live = ctx.database(), ctx.require(Fence).database
        replacement, aside = ctx.require(Replacement).database, replaced_name(live, ctx.run_id)
        database.terminate_sessions(live)
        database.swap(live, replacement, aside)
        fact = Quarantine(database=aside, restored_from=replacement)
        return Result("done", (fact,), f"The database of before is kept as {aside}.")

    def observe(self, ctx: StateContext[Options]) -> Observation:
        """The name of the present data is there, the other one is used up."""
        existing = ctx.database().sizes()
        aside = replaced_name(ctx.require(Fence).database, ctx.run_id)
        used = ctx.require(Replacement).database not in existing
        return Observation.DONE if aside in existing and used else Observation.ABSENT


def replaced_name(live: str, run_id: str) -> str:
    """Name of the database that a run has replaced. At most 63 bytes."""
    return f"{live[:30]}__replaced_{run_id.replace('-', '_')}"
