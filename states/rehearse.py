"""rehearse: the upgrade on a copy of the data, while the old version serves."""

from collections.abc import Sequence

from pydantic import Field

from orchestrator.core.errors import DatabaseError, HealthError, MigrationError, PlatformError
from orchestrator.core.facts import Current, FrozenProject, Rehearsal, TargetRelease
from orchestrator.core.image_reference import Reference
from orchestrator.core.kind_model import Capability, Effects, PlanTraits
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.ports.data_store import DataStore, Role
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind
from orchestrator.core.store_facts import BackupManifest
from orchestrator.plan.durations import Duration
from states.shared.backup_proof import load_backup, prove_again
from states.shared.health_check import Expectation
from states.shared.rehearsal_blame import Control, blame
from states.shared.retry import retry_while_unreachable
from states.shared.step_progress import build_progress
from states.shared.trial_run import (
    UNTOUCHED,
    Watch,
    find_quota,
    run_migration,
    stage_cleared,
    sweep_earlier,
    try_version,
)

_OLD_TIMES = 5.0
_OLD_AT_LEAST_S = 30.0


class RehearseOptions(Options):
    """What is tried, and with what patience."""

    healthy_within: Duration = Field(default=120.0, json_schema_extra={"default": "2m"})
    """How long each version may take to be steadily healthy on the copy; the old one not longer than 30 s or five \
times what the new one took, whichever is more."""

    command: tuple[str, ...] | None = None
    """The migration as service and arguments, where a state `migrate` has one of its own."""

    writable: tuple[str, ...] = ()
    """Folders in the app's containers that are folders of the host and that the app must be able to write as it \
starts; they are empty in the rehearsal. All other folders of the host can only be read there."""


class Rehearse(StateKind[RehearseOptions]):
    """Restores the backup into a scratch server, migrates it, and starts the new version and then the old one on it.

    The copy reaches nobody: its network leads nowhere, and what belongs to the user is not written.
    """

    kind = "rehearse"
    rehearses = True
    summary = "Restore the backup into a scratch server and try migration, new and old version on it."
    scope = EffectScope.FILES
    crash_rule = CrashRule.RUN_AGAIN
    timeout_s = 3600.0
    provides = (Rehearsal,)
    needs_database = True
    Options = RehearseOptions

    @classmethod
    def effects(cls, options: RehearseOptions, traits: PlanTraits) -> Effects:
        """Whether the upgrade works on a copy."""
        return Effects(
            needs=(Capability.CURRENT, Capability.TARGET, Capability.IMAGE, Capability.BACKUP),
            ensures=Capability.REHEARSAL,
            judges=True,
        )

    def describe(self, ctx: StateContext[RehearseOptions]) -> tuple[str, ...]:
        """What is tried."""
        target = ctx.find(TargetRelease)
        version = target.release.version if target else "the new version"
        migration = f"run `{' '.join(_command(ctx)[1:])}` on it, " if _command(ctx) else ""
        return (
            "restore the backup into a scratch server and compare it",
            f"{migration}start {version} on it, then the old version",
        )

    def perform(self, ctx: StateContext[RehearseOptions]) -> Result:
        """Try everything on a stage that is gone afterwards."""
        rehearsal = retry_while_unreachable(ctx, lambda: _try_everything(ctx))
        return Result("done", (rehearsal,), _tell(ctx, rehearsal))

    def observe(self, ctx: StateContext[RehearseOptions]) -> Observation:
        """Nothing of the stage is left."""
        if ctx.find(Rehearsal) is None:
            return Observation.ABSENT
        return Observation.PARTIAL if ctx.trials().list_remnants(ctx.run_id) else Observation.DONE


def predict_outage_s(rehearsal: Rehearsal, *, starts: int = 1) -> float:
    """What users will be without the app for: the snapshot, the migration, and each start of the new version."""
    return round(rehearsal.copy_s + rehearsal.migrate_s + starts * rehearsal.start_s, 3)


def _try_everything(ctx: StateContext[RehearseOptions]) -> Rehearsal:
    with stage_cleared(ctx):
        sweep_earlier(ctx)
        image_id = _find_new_image(ctx)
        quota_bytes = find_quota(ctx)
        ctx.report(build_progress(ctx, "Starting a scratch database server"))
        stage = ctx.trials().open(
            ctx.require(FrozenProject),
            _services(ctx),
            run_id=ctx.run_id,
            directory=ctx.directory,
            writable=ctx.options.writable,
            deadline=ctx.deadline,
        )
        return _rehearse(ctx, Watch(stage, _receipts(ctx), quota_bytes), image_id)


def _receipts(ctx: StateContext[RehearseOptions]) -> tuple[BackupManifest, ...]:
    return tuple(ctx.require(BackupManifest, store.name) for store in ctx.stores)


def _services(ctx: StateContext[RehearseOptions]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*ctx.target.services, *_command(ctx)[:1])))


def _command(ctx: StateContext[RehearseOptions]) -> tuple[str, ...]:
    return ctx.options.command or ctx.target.migrate


def _find_new_image(ctx: StateContext[RehearseOptions]) -> str:
    target = ctx.require(TargetRelease)
    image = ctx.ports.images.find(f"{target.repository}@{target.digest}")
    if image is None:
        raise PlatformError(
            "image.missing",
            f"The image {target.repository}:{target.pin} is not on this host, so it cannot be rehearsed.",
            impact=UNTOUCHED,
            hint="Let a state of the kind `pull` come before `rehearse` in the plan.",
        )
    return image.image_id


def _rehearse(ctx: StateContext[RehearseOptions], watch: Watch, image_id: str) -> Rehearsal:
    target, clock = ctx.require(TargetRelease), ctx.ports.clock
    began = clock.monotonic()
    for store, receipt in watch.stores:
        _restore(ctx, watch, store, receipt)
    restore_s = round(clock.monotonic() - began, 3)
    copy_s = _measure_copy(ctx, watch)
    pin, command = str(target.pin), _command(ctx)
    try:
        migrate_s = run_migration(ctx, watch, command, pin) if command else 0.0
        start_s = _try_new(ctx, watch, image_id, pin)
    except (MigrationError, HealthError, PlatformError) as failure:
        if failure.code.startswith(("engine.", "job.")):
            raise
        current = ctx.require(Current)
        expected = _expect(ctx, current.image_id, current.version)
        control = Control(current.version, expected, _find_old_pin(ctx), restore_s)
        raise blame(ctx, watch, failure, control, ctx.options.healthy_within) from failure
    problem = _find_problem_of_old(ctx, watch, start_s)
    rehearsal = Rehearsal(
        backup_sha256=" ".join(receipt.sha256 for receipt in watch.receipts),
        database_bytes=sum(store.sizes()[receipt.database] for store, receipt in watch.stores),
        disk_peak_bytes=watch.disk_peak_bytes,
        dump_s=sum(receipt.duration_s for receipt in watch.receipts),
        restore_s=restore_s,
        copy_s=copy_s,
        migrate_s=migrate_s,
        start_s=start_s,
        longest_lock_s=round(watch.longest_lock_s, 3),
        outage_s=0.0,
        alone=_admit_any(ctx, watch.receipts),
        old_version_lives=not problem,
        old_version_problem=problem,
    )
    twice = ctx.gated and not rehearsal.alone  # what runs apart is let out of the gate as it runs
    return rehearsal.model_copy(update={"outage_s": predict_outage_s(rehearsal, starts=2 if twice else 1)})


def _admit_any(ctx: StateContext[RehearseOptions], receipts: Sequence[BackupManifest]) -> bool:
    """Whether the live stores let the app in from a network where nothing else is."""
    asked = ((ctx.store(receipt.store).clients, receipt.database) for receipt in receipts)
    return all(clients is None or clients.inspect_load(ref).admits_any for clients, ref in asked)


def _restore(ctx: StateContext[RehearseOptions], watch: Watch, store: DataStore, receipt: BackupManifest) -> None:
    ref = receipt.database
    prove_again(ctx, receipt)
    load_backup(ctx, receipt, store, ref, watch.over(ctx.ports.backups.read(receipt.path, sha256=receipt.sha256)))
    watch.check_room()
    different = store.find_differences(ref, receipt.fingerprint, deadline=ctx.deadline)
    if different:
        raise DatabaseError(
            "rehearse.differs",
            f"The restored database is not what the backup's receipt says: {', '.join(different[:5])}.",
            impact=UNTOUCHED,
            hint="If the app changed its tables while it was dumped, run the upgrade again; otherwise keep the file.",
        )


# What `stop` will do to the live data, with the app down.
def _measure_copy(ctx: StateContext[RehearseOptions], watch: Watch) -> float:
    clock, copy_s = ctx.ports.clock, 0.0
    ctx.report(build_progress(ctx, "Timing the copy that `stop` will make"))
    for store, receipt in watch.stores:
        began, ref = clock.monotonic(), store.choose_ref(receipt.database, ctx.run_id, Role.REHEARSED)
        store.copy(receipt.database, ref, deadline=ctx.deadline)
        copy_s += clock.monotonic() - began
        watch.check_room()
        store.discard(ref)
    return round(copy_s, 3)


def _try_new(ctx: StateContext[RehearseOptions], watch: Watch, image_id: str, pin: str) -> float:
    version = ctx.require(TargetRelease).release.version
    expected = _expect(ctx, image_id, version)
    within = ctx.deadline.sooner(ctx.options.healthy_within, what=f"The start of {version} on a copy")
    seconds = try_version(ctx, watch, expected, pin, within)
    watch.stage.containers.stop_services(ctx.target.services, deadline=ctx.deadline, at_once=True)
    return seconds


def _find_problem_of_old(ctx: StateContext[RehearseOptions], watch: Watch, start_s: float) -> str:
    """Why the old version does not live on the migrated copy; empty where it does.

    It is given a few times what the new one took for its start: one that cannot live there would else be waited for
    until all patience is over, and to take it for such a one only makes the way back more careful.
    """
    current = ctx.require(Current)
    expected = _expect(ctx, current.image_id, current.version)
    patience_s = min(ctx.options.healthy_within, max(_OLD_AT_LEAST_S, _OLD_TIMES * start_s))
    within = ctx.deadline.sooner(patience_s, what=f"The start of {current.version} on the new schema")
    try:
        try_version(ctx, watch, expected, _find_old_pin(ctx), within)
    except (HealthError, PlatformError) as error:
        if error.code.startswith("engine."):
            raise
        return error.summary
    return ""


# Names are left as they are in a rehearsal, so one that leads elsewhere by now is followed by its digest.
def _find_old_pin(ctx: StateContext[RehearseOptions]) -> str:
    project, current = ctx.require(FrozenProject), ctx.require(Current)
    tag = Reference.parse(f"{ctx.target.image}:{project.pin_text}").tag
    image = ctx.ports.images.find(f"{ctx.target.image}:{tag}")
    moved = image is not None and image.image_id != current.image_id
    return f"{tag}@{current.digest}" if moved and current.digest else project.pin_text


def _expect(ctx: StateContext[RehearseOptions], image_id: str, version: str) -> Expectation:
    asked = version.removeprefix("v") if ctx.target.health.version_url else None
    return Expectation(ctx.target.services, image_id, asked)


def _tell(ctx: StateContext[RehearseOptions], rehearsal: Rehearsal) -> str:
    migrated = f"migrated in {rehearsal.migrate_s:.1f} s, " if _command(ctx) else ""
    version = ctx.require(TargetRelease).release.version
    lives = "lives" if rehearsal.old_version_lives else "does not live"
    return (
        f"Restored and compared in {rehearsal.restore_s:.1f} s, {migrated}{version} healthy after"
        f" {rehearsal.start_s:.1f} s; the old version {lives} on the new schema."
    )
