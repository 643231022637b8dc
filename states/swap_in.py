"""swap_in: put the data that lie beside in the place of the live ones, and set those aside."""

from orchestrator.core.facts import Learned
from orchestrator.core.kind_model import Capability, Effects, PlanTraits, Step
from orchestrator.core.ledger import Artifact, ArtifactKind
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.ports.data_store import DataStore, Role
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind
from orchestrator.core.store_facts import Fence, OtherData, Quarantine, Snapshot
from states.shared.artifacts import find_intended, intend, require_intended


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
        """Under which ref a way back will find the present data."""
        learned: list[Learned] = []
        for store, _ in _find_chosen(ctx):
            facts = store.inspect()
            ref = store.choose_ref(facts.name, ctx.run_id, Role.REPLACED, store.sizes())
            earlier = find_intended(ctx, ArtifactKind.QUARANTINE, store)
            aside = earlier or intend(ctx, ArtifactKind.QUARANTINE, ref, store)
            snapshot = Snapshot(
                store=store.name,
                database=aside.ref,
                source=facts.name,
                size_bytes=facts.size_bytes,
                mark=store.token(facts.name),
                taken_at=ctx.ports.clock.now(),
            )
            learned += (aside, snapshot)
        return tuple(learned)

    def perform(self, ctx: StateContext[Options]) -> Result:
        """End what is connected, then swap."""
        learned, kept = list[Learned](), list[str]()
        for store, other in _find_chosen(ctx):
            live, aside = ctx.require(Fence, store.name).database, require_intended(ctx, ArtifactKind.QUARANTINE, store)
            store.evict(live)
            store.exchange(live, other.ref, aside.ref)
            quarantine = Quarantine(store=store.name, database=aside.ref, restored_from=other.ref)
            learned += (quarantine, *ctx.ledger.exchange(ctx.run_id, other, aside, live))
            kept.append(aside.ref)
        return Result("done", tuple(learned), f"The database of before is kept as {', '.join(kept)}.")

    def observe(self, ctx: StateContext[Options]) -> Observation:
        """The data of before are there under their new ref, the others are used up."""
        for store, _ in _find_chosen(ctx):
            existing, swapped = store.sizes(), ctx.require(Quarantine, store.name)
            if swapped.database not in existing or swapped.restored_from in existing:
                return Observation.ABSENT
        return Observation.DONE


def _find_chosen(ctx: StateContext[Options]) -> tuple[tuple[DataStore, Artifact], ...]:
    """Return the stores of which other data are to be swapped in, each with the row of those."""
    chosen = ((store, ctx.find(OtherData, store.name)) for store in ctx.stores)
    return tuple((store, ctx.ledger.rows[other.artifact]) for store, other in chosen if other is not None)
