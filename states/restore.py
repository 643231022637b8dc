"""restore: the data as they were when the app stopped come back; the failed ones are set aside, not dropped."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from orchestrator.core.errors import StateError
from orchestrator.core.facts import Learned, Rehearsal, Started
from orchestrator.core.kind_model import Capability, Effects, PlanTraits, Step
from orchestrator.core.ledger import Artifact
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.model.stores import Changes
from orchestrator.core.model.workloads import Gate
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind
from orchestrator.core.store_facts import Fence, LostSnapshot, Quarantine, RollbackDecision
from states.shared.change_evidence import find_changes, tell_beyond
from states.shared.data_return import DataReturn, SourceLostError
from states.shared.migration_job import remove_leftover
from states.shared.retry import GOING_BACK, retry_while_unreachable
from states.shared.step_progress import build_progress


class RestoreOptions(Options):
    """What becomes of writes behind an open gate."""

    keep_writes: bool = False
    """Keep the migrated database where users may have written to it and the rehearsal has proven that the old \
version lives on it: nothing that they saved has to be looked for in a quarantine then."""


class Restore(StateKind[RestoreOptions]):
    """Takes the way back that the evidence allows: nothing where nothing was written, otherwise a swap of two names.

    Without a usable snapshot the proven backup is restored beside first.
    """

    kind = "restore"
    summary = "Swap the database back to what it was when the app stopped."
    scope = EffectScope.DATABASE
    crash_rule = CrashRule.REPEAT
    timeout_s = 3600.0
    provides = (RollbackDecision, Quarantine, LostSnapshot)
    compensation = True
    interruptible = False
    needs_database = True
    Options = RestoreOptions

    @classmethod
    def effects(cls, options: RestoreOptions, traits: PlanTraits) -> Effects:
        """The data as they were when the app stopped."""
        back = Step.RESTORE_OR_KEEP if options.keep_writes else Step.RESTORE_DATABASE
        return Effects(
            needs=(Capability.SNAPSHOT | Capability.BACKUP,), steps=(Step.STOP_APP, Step.CLOSE_DATABASE, back)
        )

    def describe(self, ctx: StateContext[RestoreOptions]) -> tuple[str, ...]:
        """Where the data comes from."""
        return ("swap the snapshot in, in one transaction; keep the failed database aside",)

    def prepare(self, ctx: StateContext[RestoreOptions]) -> tuple[Learned, ...]:
        """Return the rows of the data to set aside, and of those to restore where there is no snapshot."""
        rows: list[Artifact] = []
        for store in ctx.stores:
            existing: Mapping[str, int] = {}
            with suppress(StateError):  # what cannot be asked now is waited for once the writers are ended
                existing = store.sizes()
            rows += DataReturn(ctx, store, existing).prepare()
        return tuple(rows)

    def perform(self, ctx: StateContext[RestoreOptions]) -> Result:
        """Stop what runs, then go the shortest way that is proven; repeating after an exchange changes nothing."""
        retry_while_unreachable(ctx, lambda: _stop_writers(ctx), also=GOING_BACK)
        return retry_while_unreachable(ctx, lambda: _bring_back(ctx))

    def observe(self, ctx: StateContext[RestoreOptions]) -> Observation:
        """Of each store both sides are there and the source is used up: that is what one atomic exchange leaves."""
        done = all(retry_while_unreachable(ctx, partial(_is_back, ctx, store)) for store in ctx.stores)
        return Observation.DONE if done else Observation.ABSENT


# What is still at work must not write into what is set aside, nor hold its name, nor find its way into what comes back.
def _stop_writers(ctx: StateContext[RestoreOptions]) -> None:
    ctx.report(build_progress(ctx, "Ending what may still write"))
    ctx.ports.workloads.end_jobs(ctx.run_id)
    # What failed is given no time for a last word, which could reach somebody, and users wait.
    ctx.ports.workloads.stop_services(ctx.target.services, deadline=ctx.deadline, at_once=True)
    remove_leftover(ctx)


def _bring_back(ctx: StateContext[RestoreOptions]) -> Result:
    """All stores to one side: what is to come back lies beside in every store before the first one is exchanged."""
    returns = [DataReturn(ctx, store, store.sizes()) for store in ctx.stores]
    done = {one.store.name: one.find_done() for one in returns}
    left = [one for one in returns if done[one.store.name] is None]
    for one in left:
        one.store.close(one.live)
        one.store.evict(one.live)
    # What users wrote is kept in all stores or in none.
    keep = _users_keep(ctx) and left == returns and all(one.snapshot is not None for one in returns)
    ways = {one.store.name: _choose_way(ctx, one, keep=keep) for one in left}
    swapped = [one for one in left if ways[one.store.name].decision == "swap"]
    try:
        for one in swapped:
            one.make_source()
    except SourceLostError as lost:
        return Result("failed", (lost.fact,), lost.error.message())
    learned, reasons = list[Learned](), dict[str, None]()
    for one in returns:
        earlier, way = done[one.store.name], ways.get(one.store.name)
        if way is None:
            learned += earlier or ()
            reasons["It was swapped already."] = None
        elif way.decision == "swap":
            learned += (way, *one.exchange())
            reasons[f"The failed database is kept as {_find_quarantine(learned).database}."] = None
        else:
            learned += (way, *one.tell_unswapped(way))
            reasons[way.evidence] = None
    return Result("done", tuple(learned), " ".join(reasons))


def _is_back(ctx: StateContext[RestoreOptions], store: DataStore) -> bool:
    quarantine, way = ctx.find(Quarantine, store.name), ctx.find(RollbackDecision, store.name)
    existing = store.sizes()
    if way is not None and way.decision != "swap":
        return DataReturn(ctx, store, existing).live in existing
    return quarantine is not None and quarantine.database in existing and quarantine.restored_from not in existing


def _find_quarantine(learned: Sequence[Learned]) -> Quarantine:
    return next(one for one in reversed(learned) if isinstance(one, Quarantine))


def _choose_way(ctx: StateContext[RestoreOptions], back: DataReturn, *, keep: bool) -> RollbackDecision:
    """Choose the way of one store: its data stay only where it is proven that nothing was written."""
    store, snapshot = back.store, back.snapshot
    decide = partial(RollbackDecision, store=store.name)
    if back.is_not_swapped_in():
        other = back.other.ref if back.other else ""
        evidence = f"{other} was not swapped in yet, so {back.live} is what it was; it stays."
        return decide(decision="image_only", evidence=evidence)
    if snapshot is None:
        return _choose_without_snapshot(ctx, store)
    changes = find_changes(ctx, store, snapshot.source, snapshot.mark)
    beyond, told = changes.beyond, tell_beyond(changes, snapshot.source)
    if changes.untouched and not back.has_other_properties():
        evidence = f"Nothing was written to {snapshot.source} since the app stopped: {changes.reason}; it stays.{told}"
        return decide(decision="image_only", evidence=evidence, beyond=beyond)
    written = tell_written(snapshot.source, changes)
    if keep:
        evidence = (
            f"{written} Users could write, and the rehearsal has shown that the old version lives on the new schema;"
            f" as the plan says (keep_writes), their data stays.{told}"
        )
        return decide(decision="keep_data", evidence=evidence, beyond=beyond)
    evidence = f"{written} What {_name_writers(ctx.find(Started))} wrote is set aside.{told}"
    return decide(decision="swap", evidence=evidence, beyond=beyond)


def _users_keep(ctx: StateContext[RestoreOptions]) -> bool:
    started, rehearsal = ctx.find(Started), ctx.find(Rehearsal)
    users_wrote = started is not None and started.gate is Gate.OPEN
    return ctx.options.keep_writes and users_wrote and rehearsal is not None and rehearsal.old_version_lives


def _choose_without_snapshot(ctx: StateContext[RestoreOptions], store: DataStore) -> RollbackDecision:
    # A backup is older than the stop: what users saved in between is only in the data themselves.
    fence, decide = ctx.find(Fence, store.name), partial(RollbackDecision, store=store.name)
    if fence is None or fence.mark is None:
        return decide(decision="swap", evidence="No snapshot says what the database was; the backup was restored.")
    changes = find_changes(ctx, store, fence.database, fence.mark)
    told = tell_beyond(changes, fence.database)
    if changes.untouched:
        evidence = f"Nothing was written since the database was closed: {changes.reason}; it stays.{told}"
        return decide(decision="image_only", evidence=evidence, beyond=changes.beyond)
    evidence = f"{tell_written(fence.database, changes)} There is no snapshot; the backup was restored.{told}"
    return decide(decision="swap", evidence=evidence, beyond=changes.beyond)


def _name_writers(started: Started | None) -> str:
    if started is None:
        return "the migration"
    return (
        "the migration and users"
        if started.gate is Gate.OPEN
        else "the migration and the new version, unseen by users,"
    )


def tell_written(name: str, changes: Changes) -> str:
    """Say what speaks against leaving the database where it is."""
    if changes.finding == "unproven":
        return f"That nothing was written to {name} since the app stopped cannot be proven: {changes.reason}."
    rows = changes.rows or 0
    made = "Changes were" if not rows else "1 row change was" if rows == 1 else f"{rows} row changes were"
    return f"{made} made in {name} since the app stopped."
