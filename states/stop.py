"""stop: nobody writes any more, and a copy of the database as it is then is proven to be there."""

from contextlib import suppress
from pathlib import Path

from orchestrator.core.errors import DatabaseError, StateError
from orchestrator.core.facts import BackupManifest, Current, Fence, Learned, Snapshot, StoppedServices
from orchestrator.core.kind_model import Capability, Effects, PlanTraits, Step
from orchestrator.core.ledger import Artifact, ArtifactKind
from orchestrator.core.model.database import ChangeToken
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.model.workloads import ServiceStatus
from orchestrator.core.ports.database import Database
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind
from states.shared.artifacts import build_name, find_intended, intend, require_intended
from states.shared.backup_proof import choose_backup, dump_and_prove, find_other_properties, find_other_rows
from states.shared.change_evidence import find_changes
from states.shared.last_answer import LastAnswer
from states.shared.retry import retry_while_unreachable
from states.shared.step_progress import build_progress
from states.shared.write_lock import close_fence

_RESERVE_BYTES = 64 * 1024**2
_NO_SPACE = "database.no_space"


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
        if ctx.ports.database is not None:
            steps.append("close the database to everybody but the upgrade")
        if ctx.options.snapshot and ctx.ports.database is not None:
            steps.append("copy the quiesced database beside itself")
        return tuple(steps)

    def prepare(self, ctx: StateContext[StopOptions]) -> tuple[Learned, ...]:
        """Which containers run now, with the restart policies to give back; which database to close and to copy."""
        services = retry_while_unreachable(ctx, lambda: ctx.ports.workloads.inspect_services(ctx.target.services))
        stopped = StoppedServices(at=ctx.ports.clock.now(), services=services)
        if ctx.ports.database is None:
            return (stopped,)
        found = retry_while_unreachable(ctx, lambda: ctx.database().inspect())
        fence = Fence(database=found.name, service=found.service, user=found.user, free_bytes=found.free_bytes)
        if not ctx.options.snapshot:
            return (stopped, fence)
        name = build_name(found.name, ctx.run_id, ArtifactKind.SNAPSHOT)
        dump = intend(ctx, ArtifactKind.BACKUP, str(choose_backup(ctx, version=_version(ctx), label="_stopped")))
        earlier = find_intended(ctx, ArtifactKind.SNAPSHOT)
        if earlier is None and name in ctx.ports.database.sizes():
            return (stopped, fence, dump)  # what is there already is somebody else's, and `perform` fails
        return (stopped, fence, dump, earlier or intend(ctx, ArtifactKind.SNAPSHOT, name))

    def perform(self, ctx: StateContext[StopOptions]) -> Result:
        """Stop, close, copy."""
        services, users = ctx.require(StoppedServices).services, LastAnswer.begin(ctx)
        kept = retry_while_unreachable(ctx, lambda: _quiesce(ctx, services, users))
        began = StoppedServices(at=users.at, services=services)
        dumped = isinstance(kept, Snapshot) and kept.database is None
        where = "There was no room for a copy beside the database; a dump took its place." if dumped else ""
        made = _tell_made(ctx, kept) if isinstance(kept, Snapshot) else ()
        return Result("done", (began, *((kept,) if kept else ()), *made), where)

    def observe(self, ctx: StateContext[StopOptions]) -> Observation:
        """Nothing of the app runs, and the copy is on the server."""
        running = [s for s in ctx.ports.workloads.inspect_services(ctx.target.services) if s.running]
        snapshot = ctx.find(Snapshot)
        if running:
            return Observation.PARTIAL
        if snapshot and snapshot.database and snapshot.database not in ctx.database().sizes():
            return Observation.PARTIAL
        return Observation.DONE


def _quiesce(
    ctx: StateContext[StopOptions], services: tuple[ServiceStatus, ...], users: LastAnswer
) -> Snapshot | Fence | None:
    """What tells later whether anything was written since: the copy, or the closed database without one."""
    ctx.report(build_progress(ctx, f"Stopping {', '.join(ctx.target.services)}"))
    ctx.ports.workloads.stop_services(ctx.target.services, deadline=ctx.deadline, meanwhile=users.ask)
    if ctx.ports.database is None:
        return None
    name = ctx.require(Fence).database
    close_fence(ctx, name, services)
    if ctx.options.snapshot:
        return _take_snapshot(ctx)
    return ctx.require(Fence).model_copy(update={"mark": ctx.ports.database.mark(name)})


def _tell_made(ctx: StateContext[StopOptions], snapshot: Snapshot) -> tuple[Artifact, ...]:
    """Build the rows of the copy and of the dump: one of both was made."""
    dump, copy = require_intended(ctx, ArtifactKind.BACKUP), find_intended(ctx, ArtifactKind.SNAPSHOT)
    made, other = (copy, dump) if snapshot.database else (dump, copy)
    return (*((made.whole(),) if made else ()), *((other.gone(),) if other else ()))


def _take_snapshot(ctx: StateContext[StopOptions]) -> Snapshot:
    database, live = ctx.database(), ctx.require(Fence).database
    size_bytes = database.sizes().get(live, 0)  # one that is gone has no mark either
    mark = database.mark(live)
    name = _copy(ctx, size_bytes, mark)
    return Snapshot(
        database=name,
        backup=None if name else _dump(ctx, mark),
        source=live,
        size_bytes=size_bytes,
        mark=mark,
        taken_at=ctx.ports.clock.now(),
    )


def _copy(ctx: StateContext[StopOptions], size_bytes: int, mark: ChangeToken) -> str | None:
    """Name of a copy that was compared, or None where there is no room for one."""
    database, fence = ctx.database(), ctx.require(Fence)
    live, row = fence.database, find_intended(ctx, ArtifactKind.SNAPSHOT)
    name = row.ref if row else build_name(live, ctx.run_id, ArtifactKind.SNAPSHOT)
    # As it was a moment before the app was stopped: to ask again costs users more than it could tell.
    if fence.free_bytes is not None and fence.free_bytes < size_bytes + _RESERVE_BYTES:
        return None
    if row and name in database.sizes():  # of an earlier attempt of this state
        database.drop(name)
    ctx.report(build_progress(ctx, "Copying the database", "copy_s"))
    try:
        database.copy(live, name, deadline=ctx.deadline)
    except DatabaseError as error:
        if error.code != _NO_SPACE:
            raise
        return None
    try:
        different = _find_differences(database, live, name, mark)
    except StateError:
        with suppress(StateError):  # a copy that could not be compared is none
            database.drop(name)
        raise
    if different:
        database.drop(name)
        raise DatabaseError("snapshot.differs", f"The copy of {live} is not the same: {', '.join(different)} differ.")
    return name


def _find_differences(database: Database, live: str, name: str, mark: ChangeToken) -> list[str]:
    different = [*find_other_properties(database.properties(live), database.properties(name))]
    # Both marks are of one catalog, entry by entry, when the copy is whole.
    return [*different, "catalog"] if database.mark(name).catalog != mark.catalog else different


def _dump(ctx: StateContext[StopOptions], mark: ChangeToken) -> BackupManifest:
    database, path = ctx.database(), Path(require_intended(ctx, ArtifactKind.BACKUP).ref)
    receipt = dump_and_prove(ctx, name=path.name, version=_version(ctx))
    different = find_other_rows(database.rows(receipt.database, deadline=ctx.deadline), receipt.rows)
    if different:
        raise DatabaseError(
            "snapshot.differs", f"The dump {receipt.path} does not hold what is in the database: {different[0]}."
        )
    changes = find_changes(ctx, receipt.database, mark)
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
