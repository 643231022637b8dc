"""restore: the data as it was when the app stopped comes back; the failed database is set aside, not dropped."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from orchestrator.core.errors import BackupError, DatabaseError, StateError
from orchestrator.core.facts import (
    BackupManifest,
    Fence,
    Learned,
    LostSnapshot,
    Quarantine,
    Rehearsal,
    RollbackDecision,
    Snapshot,
    Started,
)
from orchestrator.core.kind_model import Capability, Effects, PlanTraits, Step
from orchestrator.core.ledger import Artifact, ArtifactKind, ArtifactState, Ledger
from orchestrator.core.model.database import Changes
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.model.workloads import Gate
from orchestrator.core.ports.database import Database
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind
from states.shared.artifacts import (
    DATA,
    build_name,
    choose_free,
    find_intended,
    find_other_data,
    intend,
    require_intended,
)
from states.shared.backup_proof import find_other_properties, prove_again, restore_beside
from states.shared.change_evidence import find_changes, tell_beyond
from states.shared.migration_job import remove_leftover
from states.shared.retry import GOING_BACK, is_away, retry_while_unreachable
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
        """Return the rows of the database to set aside, and of the one to restore where there is no snapshot."""
        live, existing = _live(ctx), set[str]()
        with suppress(StateError):  # what cannot be asked now is waited for once the writers are ended
            existing |= ctx.database().sizes().keys()
        name = choose_free(build_name(live, ctx.run_id, ArtifactKind.QUARANTINE), existing)
        rows = [_find_aside(ctx) or intend(ctx, ArtifactKind.QUARANTINE, name)]
        snapshot = ctx.find(Snapshot)
        if snapshot is None or snapshot.database not in existing:
            name = choose_free(build_name(live, ctx.run_id, ArtifactKind.RESTORED), existing)
            rows.append(find_intended(ctx, ArtifactKind.RESTORED) or intend(ctx, ArtifactKind.RESTORED, name))
        return tuple(rows)

    def perform(self, ctx: StateContext[RestoreOptions]) -> Result:
        """Stop what runs, then go the shortest way that is proven; repeating after a swap changes nothing."""
        retry_while_unreachable(ctx, lambda: _stop_writers(ctx), also=GOING_BACK)
        return retry_while_unreachable(ctx, lambda: _bring_back(ctx))

    def observe(self, ctx: StateContext[RestoreOptions]) -> Observation:
        """Both names are there and the source is used up: that is what one transaction leaves."""
        quarantine, way = ctx.find(Quarantine), ctx.find(RollbackDecision)
        existing = retry_while_unreachable(ctx, lambda: ctx.database().sizes())
        if way is not None and way.decision != "swap":
            return Observation.DONE if _live(ctx) in existing else Observation.ABSENT
        if quarantine is None:
            return Observation.ABSENT
        done = quarantine.database in existing and quarantine.restored_from not in existing
        return Observation.DONE if done else Observation.ABSENT


# What is still at work must not write into what is set aside, nor hold its name, nor find its way into what comes back.
def _stop_writers(ctx: StateContext[RestoreOptions]) -> None:
    ctx.report(build_progress(ctx, "Ending what may still write"))
    ctx.ports.workloads.end_jobs(ctx.run_id)
    # What failed is given no time for a last word, which could reach somebody, and users wait.
    ctx.ports.workloads.stop_services(ctx.target.services, deadline=ctx.deadline, at_once=True)
    remove_leftover(ctx)


def _bring_back(ctx: StateContext[RestoreOptions]) -> Result:
    database, live = ctx.database(), _live(ctx)
    aside, existing = _find_aside(ctx) or require_intended(ctx, ArtifactKind.QUARANTINE), database.sizes()
    swapped = _find_swapped(ctx, database, aside, existing) if live in existing else None
    if swapped is not None:
        return _swapped_already(ctx, aside.model_copy(update={"ref": swapped}))
    aside = aside.model_copy(update={"ref": choose_free(aside.ref, existing)})
    database.fence(live)
    database.terminate_sessions(live)
    way = _choose_way(ctx, database)
    if way.decision != "swap":
        return Result("done", (way, *_tell_unswapped(ctx, way)), way.evidence)
    source = _source(ctx, existing)
    if source.kind is ArtifactKind.RESTORED:
        failed = _fill_from_backup(ctx, source.ref)
        if failed is not None:
            return failed
    database.swap(live, source.ref, aside.ref)
    kept = Quarantine(database=aside.ref, restored_from=source.ref)
    rows = _tell_swapped(ctx, source.ref, aside)
    return Result("done", (way, kept, *rows), f"The failed database is kept as {aside.ref}.")


def _find_aside(ctx: StateContext[RestoreOptions]) -> Artifact | None:
    """Return the row of the failed database, not that of the data that an exchange has set aside."""
    rows = ctx.ledger.find(ArtifactKind.QUARANTINE, run=ctx.run_id, states=(ArtifactState.INTENDED,))
    snapshot = ctx.find(Snapshot)
    return next((row for row in reversed(rows) if snapshot is None or row.ref != snapshot.database), None)


# That there is a database of this name tells no swap: somebody else may have made it.
def _find_swapped(
    ctx: StateContext[RestoreOptions], database: Database, aside: Artifact, existing: Mapping[str, int]
) -> str | None:
    """Return the name under which an earlier attempt has set the failed database aside; None where none has."""
    other, snapshot = find_other_data(ctx), ctx.find(Snapshot)
    if snapshot is not None and snapshot.database is not None and snapshot.database in existing:
        return None
    if other is not None:
        # What an operator had swapped in goes the way it came: the one that was live is itself again then.
        back = other.state is ArtifactState.LIVE or other.ref not in existing
        return aside.ref if back else None
    if snapshot is None:
        return aside.ref if aside.ref in existing else None
    if database.mark(_live(ctx)).database == snapshot.mark.database:
        return None
    return aside.ref if aside.ref in existing else _find_by_identity(database, snapshot, existing)


# On a full disk a way back goes on without its records: then the ledger lacks the name that was swapped.
def _find_by_identity(database: Database, snapshot: Snapshot, existing: Mapping[str, int]) -> str | None:
    for name in existing:
        with suppress(StateError):
            if database.mark(name).database == snapshot.mark.database:
                return name
    return None


def _tell_swapped(ctx: StateContext[RestoreOptions], source: str, aside: Artifact) -> tuple[Artifact, ...]:
    """Build the rows after the swap, and after that of an exchange whose end the journal lacks."""
    other, live, ledger = find_other_data(ctx), _live(ctx), ctx.ledger
    if other is not None and other.state is not ArtifactState.LIVE:
        ledger = ledger.joined(ledger.exchange(ctx.run_id, other, _find_row(ledger, source), live))
    ledger = ledger.joined(ledger.exchange(ctx.run_id, _find_row(ledger, source), aside, live))
    unused = ledger.find(ArtifactKind.RESTORED, run=ctx.run_id, states=(ArtifactState.INTENDED,))
    ledger = ledger.joined(row.gone() for row in unused)
    return tuple(row for row in ledger.rows.values() if ctx.ledger.rows.get(row.id) != row)


def _tell_unswapped(ctx: StateContext[RestoreOptions], way: RollbackDecision) -> tuple[Artifact, ...]:
    unused = ctx.ledger.find(
        ArtifactKind.QUARANTINE, ArtifactKind.RESTORED, run=ctx.run_id, states=(ArtifactState.INTENDED,)
    )
    # Users go on with the migrated data: whether those of the stop are worth keeping is for an operator to say.
    kept = ctx.ledger.find(ArtifactKind.SNAPSHOT, run=ctx.run_id) if way.decision == "keep_data" else ()
    return (*(row.gone() for row in unused), *(row.keep_for_operator() for row in kept))


def _find_row(ledger: Ledger, ref: str) -> Artifact:
    return next(row for row in reversed(ledger.find(*DATA)) if row.ref == ref)


def _live(ctx: StateContext[RestoreOptions]) -> str:
    fence, snapshot = ctx.find(Fence), ctx.find(Snapshot)
    if fence is not None:
        return fence.database
    return snapshot.source if snapshot else ctx.require(BackupManifest).database


def _source(ctx: StateContext[RestoreOptions], existing: Mapping[str, int]) -> Artifact:
    snapshot = ctx.find(Snapshot)
    if snapshot is not None and snapshot.database is not None and snapshot.database in existing:
        return _find_row(ctx.ledger, snapshot.database)
    return require_intended(ctx, ArtifactKind.RESTORED)


def _receipt(ctx: StateContext[RestoreOptions]) -> BackupManifest:
    snapshot = ctx.find(Snapshot)
    return snapshot.backup if snapshot and snapshot.backup else ctx.require(BackupManifest)


def _fill_from_backup(ctx: StateContext[RestoreOptions], source: str) -> Result | None:
    """Restore the backup beside the live database; where that cannot be, what an operator may go back to."""
    receipt = _receipt(ctx)
    try:
        restore_beside(ctx, receipt, source)
    except (BackupError, DatabaseError) as error:
        if is_away(error):
            raise
        whole = (
            receipt if _is_whole(ctx, receipt) else next((r for r in _earlier(ctx, receipt) if _is_whole(ctx, r)), None)
        )
        return Result("failed", (LostSnapshot(receipt=whole),), error.message())
    return None


def _earlier(ctx: StateContext[RestoreOptions], receipt: BackupManifest) -> Iterator[BackupManifest]:
    for other in ctx.history.receipts():
        same = (other.database, other.system_identifier) == (receipt.database, receipt.system_identifier)
        if same and other.path != receipt.path:
            yield other


def _is_whole(ctx: StateContext[RestoreOptions], receipt: BackupManifest) -> bool:
    try:
        prove_again(ctx, receipt)
    except (BackupError, DatabaseError):
        return False
    return True


def _choose_way(ctx: StateContext[RestoreOptions], database: Database) -> RollbackDecision:
    snapshot, started, rehearsal = ctx.find(Snapshot), ctx.find(Started), ctx.find(Rehearsal)
    other = find_other_data(ctx)
    if other is not None and other.state is not ArtifactState.LIVE and other.ref in database.sizes():
        evidence = f"{other.ref} was not swapped in yet, so {_live(ctx)} is what it was; it stays."
        return RollbackDecision(decision="image_only", evidence=evidence)
    if snapshot is None:
        return _choose_without_snapshot(ctx)
    changes = find_changes(ctx, snapshot.source, snapshot.mark)
    beyond, told = changes.beyond, tell_beyond(changes, snapshot.source)
    if changes.untouched and not _has_other_properties(snapshot, database):
        evidence = f"Nothing was written to {snapshot.source} since the app stopped: {changes.reason}; it stays.{told}"
        return RollbackDecision(decision="image_only", evidence=evidence, beyond=beyond)
    written = tell_written(snapshot.source, changes)
    users_wrote = started is not None and started.gate is Gate.OPEN
    if ctx.options.keep_writes and users_wrote and rehearsal is not None and rehearsal.old_version_lives:
        evidence = (
            f"{written} Users could write, and the rehearsal has shown that the old version lives on the new schema;"
            f" as the plan says (keep_writes), their data stays.{told}"
        )
        return RollbackDecision(decision="keep_data", evidence=evidence, beyond=beyond)
    evidence = f"{written} What {_name_writers(started)} wrote is set aside.{told}"
    return RollbackDecision(decision="swap", evidence=evidence, beyond=beyond)


def _choose_without_snapshot(ctx: StateContext[RestoreOptions]) -> RollbackDecision:
    # A backup is older than the stop: what users saved in between is only in the database itself.
    fence = ctx.find(Fence)
    if fence is None or fence.mark is None:
        return RollbackDecision(
            decision="swap", evidence="No snapshot says what the database was; the backup was restored."
        )
    changes = find_changes(ctx, fence.database, fence.mark)
    told = tell_beyond(changes, fence.database)
    if changes.untouched:
        evidence = f"Nothing was written since the database was closed: {changes.reason}; it stays.{told}"
        return RollbackDecision(decision="image_only", evidence=evidence, beyond=changes.beyond)
    evidence = f"{tell_written(fence.database, changes)} There is no snapshot; the backup was restored.{told}"
    return RollbackDecision(decision="swap", evidence=evidence, beyond=changes.beyond)


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


def _swapped_already(ctx: StateContext[RestoreOptions], aside: Artifact) -> Result:
    # What was counted before the swap was journaled then, or is not known.
    snapshot, restored = ctx.find(Snapshot), find_intended(ctx, ArtifactKind.RESTORED)
    source = snapshot.database if snapshot and snapshot.database else restored.ref if restored else aside.ref
    way = RollbackDecision(decision="swap", evidence=f"{source} was swapped in by an earlier attempt.")
    kept = Quarantine(database=aside.ref, restored_from=source)
    return Result("done", (way, kept, *_tell_swapped(ctx, source, aside)), "It was swapped already.")


def _has_other_properties(snapshot: Snapshot, database: Database) -> bool:
    # They lie outside of the database, where its mark does not see them.
    if snapshot.database is not None and snapshot.database in database.sizes():
        before = database.properties(snapshot.database)
    elif snapshot.backup is not None:
        before = snapshot.backup.properties
    else:
        return False
    return bool(find_other_properties(before, database.properties(snapshot.source)))
