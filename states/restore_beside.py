"""restore_beside: restore a backup beside the live database and compare it, while the app serves."""

from pathlib import Path

from orchestrator.core.errors import UNTOUCHED, RefusedError
from orchestrator.core.facts import Current, TargetRelease
from orchestrator.core.kind_model import Capability, Effects, PlanTraits
from orchestrator.core.ledger import Artifact, ArtifactKind, NeededUntil
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.model.releases import Release
from orchestrator.core.ports.data_store import DataStore, Role
from orchestrator.core.ports.recovery import ByHand
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind
from orchestrator.core.store_facts import BackupManifest, OtherData
from states.shared.artifacts import find_intended, find_other_data, intend, require_intended
from states.shared.backup_proof import restore_beside

_UNKNOWN = "unknown"


class RestoreBesideOptions(Options):
    """Which backup is taken."""

    file: str
    """The backup file."""

    foreign: bool = False
    """Take a file that no run here has proven: its functions come with it, and run without rights."""


class RestoreBeside(StateKind[RestoreBesideOptions]):
    """Takes only a file whose hash the journal knows; of a foreign one nothing is run that needs a superuser."""

    kind = "restore_beside"
    former_names = ("load",)
    summary = "Restore a backup beside the live database and compare it with its receipt."
    scope = EffectScope.FILES
    crash_rule = CrashRule.RUN_AGAIN
    timeout_s = 3600.0
    provides = (Current, TargetRelease, OtherData)
    needs_database = True
    Options = RestoreBesideOptions

    @classmethod
    def effects(cls, options: RestoreBesideOptions, traits: PlanTraits) -> Effects:
        """Other data beside the live ones; the version that runs stays."""
        return Effects(ensures=Capability.CURRENT | Capability.TARGET | Capability.IMAGE | Capability.REPLACEMENT)

    def describe(self, ctx: StateContext[RestoreBesideOptions]) -> tuple[str, ...]:
        """Which file."""
        return (f"restore {ctx.options.file} beside the live database and compare it",)

    def prepare(self, ctx: StateContext[RestoreBesideOptions]) -> tuple[Artifact]:
        """Return the row of the data as which the backup is restored."""
        store = _choose_store(ctx)
        if (earlier := find_intended(ctx, ArtifactKind.RESTORED, store)) is not None:
            return (earlier,)
        ref = store.choose_ref(store.inspect().name, ctx.run_id, Role.RESTORED, store.sizes())
        return (intend(ctx, ArtifactKind.RESTORED, ref, store, until=NeededUntil.RUN_END),)

    def perform(self, ctx: StateContext[RestoreBesideOptions]) -> Result:
        """Find the receipt of the file, restore it, compare."""
        store = _choose_store(ctx)
        running = ctx.ports.finder.running()
        target = _stay(ctx, running)
        receipt = _find_receipt(ctx, store)
        if receipt.system_identifier != store.identify() and not ctx.options.foreign:
            raise RefusedError(
                "refused.other_server",
                f"{receipt.path} was taken from another database server than this one.",
                impact=UNTOUCHED,
                hint="If that is what you want, say --foreign.",
            )
        row = require_intended(ctx, ArtifactKind.RESTORED, store)
        restore_beside(ctx, receipt, row.ref, proven=receipt.version != _UNKNOWN)
        store.close(row.ref)
        known = "no run here has proven it" if ctx.options.foreign else f"taken from {receipt.version}"
        origin = f"{receipt.path.name} of {receipt.taken_at:%Y-%m-%d %H:%M}, {known}"
        other = OtherData(store=store.name, artifact=row.id, origin=origin, version=receipt.version)
        reason = f"{sum(receipt.rows.values())} rows restored and compared."
        return Result("done", (running, target, other, row.whole()), reason)

    def observe(self, ctx: StateContext[RestoreBesideOptions]) -> Observation:
        """The restored data lie there."""
        store = _choose_store(ctx)
        other = find_other_data(ctx, store)
        there = other is not None and other.ref in store.sizes()
        return Observation.DONE if there else Observation.ABSENT


def _choose_store(ctx: StateContext[RestoreBesideOptions]) -> DataStore:
    """Choose the store of a backup file: that of its receipt, or the one whose files are named like it."""
    file = Path(ctx.options.file)
    known = next((receipt.store for receipt in ctx.history.receipts() if receipt.path == file), None)
    if known is not None:
        return ctx.store(known)
    return next((store for store in ctx.stores if file.name.endswith(store.file_suffix)), ctx.stores[0])


def _stay(ctx: StateContext[RestoreBesideOptions], running: Current) -> TargetRelease:
    if running.digest is None:
        raise RefusedError(
            "refused.no_digest",
            f"The image of {running.version} has no digest of a registry, so it could not be pinned.",
            impact=UNTOUCHED,
            hint=ctx.ports.recovery.phrase(ByHand.PULL_IMAGE, f"{ctx.target.image}:{running.version}"),
        )
    return TargetRelease(release=Release(version=running.version), repository=ctx.target.image, digest=running.digest)


def _find_receipt(ctx: StateContext[RestoreBesideOptions], store: DataStore) -> BackupManifest:
    path = Path(ctx.options.file)
    proof = ctx.ports.backups.prove(path, report=ctx.report, deadline=ctx.deadline)
    known = next((r for r in ctx.history.receipts() if r.sha256 == proof.sha256), None)
    if known is not None:
        return known.model_copy(update={"path": path})
    if not ctx.options.foreign:
        raise RefusedError(
            "refused.foreign_backup",
            f"No run of this project has proven {path}, so nobody can say what is in it.",
            impact=UNTOUCHED,
            hint="Loading it brings its data and its functions to the app. If you trust where it comes from,"
            " say --foreign.",
        )
    live = store.inspect()
    return BackupManifest(
        store=store.name,
        path=path,
        sha256=proof.sha256,
        size_bytes=proof.size_bytes,
        dump_bytes=proof.dump_bytes,
        rows=dict(proof.rows),
        version=_UNKNOWN,
        database=live.name,
        server_version=live.server_version,
        system_identifier=live.system_identifier,
        properties=store.properties(live.name).properties or {},
        inventory={},
        taken_at=ctx.ports.clock.now(),
        duration_s=0.0,
    )
