"""stop: nobody writes any more, and a copy of the data as they are then is proven to be there."""

from contextlib import suppress
from pathlib import Path

from orchestrator.core.error_categories import Category
from orchestrator.core.errors import DatabaseError, StateError
from orchestrator.core.facts import Current, Learned, StoppedServices
from orchestrator.core.kind_model import Capability, Effects, PlanTraits, Step
from orchestrator.core.ledger import Artifact, ArtifactKind
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.model.stores import ChangeToken, Fingerprint
from orchestrator.core.model.workloads import ServiceStatus
from orchestrator.core.ports.data_store import DataStore, Role
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind
from orchestrator.core.store_facts import BackupManifest, Fence, Snapshot
from states.shared.artifacts import find_intended, intend, require_intended
from states.shared.backup_proof import choose_backup, dump_and_prove
from states.shared.change_evidence import find_changes
from states.shared.last_answer import LastAnswer
from states.shared.retry import retry_while_unreachable
from states.shared.step_progress import build_progress
from states.shared.write_lock import find_fences, lock_stores

_RESERVE_BYTES = 64 * 1024**2


class StopOptions(Options):
    """What is left behind of the data."""

    snapshot: bool = True
    """Copy the database that nobody writes to any more; `false` is for an app without a database."""


class Stop(StateKind[StopOptions]):
    """Restart policies off, services down, database fenced, then the copy that a way back swaps in.

    Services are stopped side by side, but who depends on another before it. A write that was acknowledged between the
    backup and this moment is in the copy, and nowhere else once the new version has failed.
    """

    kind = "stop"
    summary = "Stop the app's services, fence the database and copy it as it is then."
    scope = EffectScope.APP
    crash_rule = CrashRule.OBSERVE
    timeout_s = 600.0
    provides = (StoppedServices, Fence, Snapshot)
    Options = StopOptions

    @classmethod
    def effects(cls, options: StopOptions, traits: PlanTraits) -> Effects:
        """Nobody writes any more, and a copy is there of what was written."""
        if not traits.database:
            return Effects(steps=(Step.STOP_APP,))
        steps = (Step.STOP_APP, Step.CLOSE_DATABASE)
        if not options.snapshot:
            return Effects(prepares=Capability.FENCE, steps=steps, ensures=Capability.MARK)
        return Effects(prepares=Capability.FENCE, steps=(*steps, Step.COPY_DATABASE), ensures=Capability.SNAPSHOT)

    def describe(self, ctx: StateContext[StopOptions]) -> tuple[str, ...]:
        """What goes down and what stays up."""
        steps = [f"stop {', '.join(ctx.target.services)} with restart policies off; everything else stays up"]
        if ctx.stores:
            steps.append("close the database to everybody but the upgrade")
        if ctx.options.snapshot and ctx.stores:
            steps.append("copy the quiesced database beside itself")
        return tuple(steps)

    def prepare(self, ctx: StateContext[StopOptions]) -> tuple[Learned, ...]:
        """Which containers run now, with the restart policies to give back; which data to lock and to copy."""
        services = retry_while_unreachable(ctx, lambda: ctx.ports.workloads.inspect_services(ctx.target.services))
        learned: list[Learned] = [StoppedServices(at=ctx.ports.clock.now(), services=services)]
        for store in ctx.stores:
            learned += _prepare_store(ctx, store)
        return tuple(learned)

    def perform(self, ctx: StateContext[StopOptions]) -> Result:
        """Stop, lock, copy."""
        services, users = ctx.require(StoppedServices).services, LastAnswer.begin(ctx)
        kept = retry_while_unreachable(ctx, lambda: _quiesce(ctx, services, users))
        began = StoppedServices(at=users.at, services=services)
        snapshots = tuple(one for one in kept if isinstance(one, Snapshot))
        dumped = any(one.database is None for one in snapshots)
        where = "There was no room for a copy beside the database; a dump took its place." if dumped else ""
        made = (row for snapshot in snapshots for row in _tell_made(ctx, snapshot))
        return Result("done", (began, *kept, *made), where)

    def observe(self, ctx: StateContext[StopOptions]) -> Observation:
        """Nothing of the app runs, and the copies are there."""
        running = [s for s in ctx.ports.workloads.inspect_services(ctx.target.services) if s.running]
        if running:
            return Observation.PARTIAL
        for store in ctx.stores:
            snapshot = ctx.find(Snapshot, store.name)
            if snapshot and snapshot.database and snapshot.database not in store.sizes():
                return Observation.PARTIAL
        return Observation.DONE


def _prepare_store(ctx: StateContext[StopOptions], store: DataStore) -> tuple[Learned, ...]:
    found = retry_while_unreachable(ctx, store.inspect)
    fence = Fence(
        store=store.name,
        database=found.name,
        service=found.service,
        user=found.user,
        free_bytes=found.free_bytes,
    )
    if not ctx.options.snapshot:
        return (fence,)
    ref = store.choose_ref(found.name, ctx.run_id, Role.SNAPSHOT)
    path = choose_backup(ctx, store, version=_version(ctx), label="_stopped")
    dump, earlier = intend(ctx, ArtifactKind.BACKUP, str(path), store), find_intended(ctx, ArtifactKind.SNAPSHOT, store)
    if earlier is None and ref in store.sizes():
        return (fence, dump)  # what is there already is somebody else's, and `perform` fails
    return (fence, dump, earlier or intend(ctx, ArtifactKind.SNAPSHOT, ref, store))


def _quiesce(
    ctx: StateContext[StopOptions], services: tuple[ServiceStatus, ...], users: LastAnswer
) -> tuple[Snapshot | Fence, ...]:
    """What tells later whether anything was written since: the copies, or the locked data without them.

    All stores are locked before the first is looked at, and looked at before the first is copied.
    """
    ctx.report(build_progress(ctx, f"Stopping {', '.join(ctx.target.services)}"))
    ctx.ports.workloads.stop_services(ctx.target.services, deadline=ctx.deadline, meanwhile=users.ask)
    lock_stores(ctx, services)
    fences = find_fences(ctx)
    if not ctx.options.snapshot:
        return tuple(fence.model_copy(update={"mark": store.token(fence.database)}) for store, fence in fences)
    # Data that are gone have no token either.
    sizes = {store.name: store.sizes().get(fence.database, 0) for store, fence in fences}
    tokens = {store.name: store.token(fence.database) for store, fence in fences}
    snapshots: list[Snapshot] = []
    try:
        for store, fence in fences:
            snapshots.append(_take_snapshot(ctx, store, fence, sizes[store.name], tokens[store.name]))
    except BaseException:
        for snapshot in snapshots:  # one without those of the other stores is of no use
            _discard_snapshot(ctx, snapshot)
        raise
    return tuple(snapshots)


def _discard_snapshot(ctx: StateContext[StopOptions], snapshot: Snapshot) -> None:
    with suppress(StateError):  # the ledger has it as intended, so that it is found and removed later
        if snapshot.database is not None:
            ctx.store(snapshot.store).discard(snapshot.database)
        elif snapshot.backup is not None:
            ctx.ports.backups.remove(snapshot.backup.path)


def _tell_made(ctx: StateContext[StopOptions], snapshot: Snapshot) -> tuple[Artifact, ...]:
    """Build the rows of the copy and of the dump: one of both was made."""
    store = ctx.store(snapshot.store)
    dump, copy = require_intended(ctx, ArtifactKind.BACKUP, store), find_intended(ctx, ArtifactKind.SNAPSHOT, store)
    made, other = (copy, dump) if snapshot.database else (dump, copy)
    return (*((made.whole(),) if made else ()), *((other.gone(),) if other else ()))


def _take_snapshot(
    ctx: StateContext[StopOptions], store: DataStore, fence: Fence, size_bytes: int, token: ChangeToken
) -> Snapshot:
    replica = _copy(ctx, store, fence, size_bytes, token)
    return Snapshot(
        store=store.name,
        database=replica,
        backup=None if replica else _dump(ctx, store, fence, token),
        source=fence.database,
        size_bytes=size_bytes,
        mark=token,
        taken_at=ctx.ports.clock.now(),
    )


def _copy(
    ctx: StateContext[StopOptions], store: DataStore, fence: Fence, size_bytes: int, token: ChangeToken
) -> str | None:
    """The ref of a copy that was compared, or None where there is no room for one."""
    live, row = fence.database, find_intended(ctx, ArtifactKind.SNAPSHOT, store)
    replica = row.ref if row else store.choose_ref(live, ctx.run_id, Role.SNAPSHOT)
    # As it was a moment before the app was stopped: to ask again costs users more than it could tell.
    if fence.free_bytes is not None and fence.free_bytes < size_bytes + _RESERVE_BYTES:
        return None
    if row and replica in store.sizes():  # of an earlier attempt of this state
        store.discard(replica)
    ctx.report(build_progress(ctx, "Copying the database", "copy_s"))
    try:
        store.copy(live, replica, deadline=ctx.deadline)
    except DatabaseError as error:
        if error.category is not Category.NO_SPACE:
            raise
        return None
    try:
        different = store.compare_copy(live, replica, token)
    except StateError:
        with suppress(StateError):  # a copy that could not be compared is none
            store.discard(replica)
        raise
    if different:
        store.discard(replica)
        raise DatabaseError("snapshot.differs", f"The copy of {live} is not the same: {', '.join(different)} differ.")
    return replica


def _dump(ctx: StateContext[StopOptions], store: DataStore, fence: Fence, token: ChangeToken) -> BackupManifest:
    path = Path(require_intended(ctx, ArtifactKind.BACKUP, store).ref)
    receipt = dump_and_prove(ctx, store, name=path.name, version=_version(ctx))
    different = store.find_differences(fence.database, Fingerprint(rows=receipt.rows), deadline=ctx.deadline)
    if different:
        raise DatabaseError(
            "snapshot.differs", f"The database is not what its dump {receipt.path} holds: {different[0]}."
        )
    changes = find_changes(ctx, store, receipt.database, token)
    if not changes.untouched:
        raise DatabaseError(
            "database.in_use",
            f"Somebody wrote to {receipt.database} while it was dumped, with the app stopped, or it cannot be proven"
            f" that nobody did: {changes.reason}.",
            hint="Find out what uses the database beside the app, and stop it.",
        )
    return receipt


def _version(ctx: StateContext[StopOptions]) -> str:
    current = ctx.find(Current)
    return current.version if current else "unknown"
