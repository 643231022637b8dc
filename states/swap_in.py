"""swap_in: put the database that lies beside in the place of the live one, and set that aside."""

from orchestrator.core.facts import Fence, Learned, OtherData, Quarantine, Snapshot
from orchestrator.core.kind_model import Capability, Effects, PlanTraits, Step
from orchestrator.core.ledger import ArtifactKind
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind
from states.shared.artifacts import build_name, choose_free, find_intended, intend, require_intended


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

    def prepare(self, ctx: StateContext[Options]) -> tuple[Learned, ...]:
        """Under which name a way back will find the present data."""
        database = ctx.database()
        facts = database.inspect()
        name = choose_free(
            build_name(facts.name, ctx.run_id, ArtifactKind.QUARANTINE, role="replaced"), database.sizes()
        )
        aside = find_intended(ctx, ArtifactKind.QUARANTINE) or intend(ctx, ArtifactKind.QUARANTINE, name)
        return (
            aside,
            Snapshot(
                database=aside.ref,
                source=facts.name,
                size_bytes=facts.size_bytes,
                mark=database.mark(facts.name),
                taken_at=ctx.ports.clock.now(),
            ),
        )

    def perform(self, ctx: StateContext[Options]) -> Result:
        """End what is connected, then swap."""
        database, live = ctx.database(), ctx.require(Fence).database
        other, aside = ctx.ledger.rows[ctx.require(OtherData).artifact], require_intended(ctx, ArtifactKind.QUARANTINE)
        database.terminate_sessions(live)
        database.swap(live, other.ref, aside.ref)
        fact = Quarantine(database=aside.ref, restored_from=other.ref)
        rows = ctx.ledger.exchange(ctx.run_id, other, aside, live)
        return Result("done", (fact, *rows), f"The database of before is kept as {aside.ref}.")

    def observe(self, ctx: StateContext[Options]) -> Observation:
        """The name of the present data is there, the other one is used up."""
        existing = ctx.database().sizes()
        swapped = ctx.require(Quarantine)
        used = swapped.restored_from not in existing
        return Observation.DONE if swapped.database in existing and used else Observation.ABSENT
