"""find_previous: find the version and the data that the last upgrade replaced."""

from orchestrator.core.earlier_runs import CommittedRun, KeptSnapshot
from orchestrator.core.errors import UNTOUCHED, RefusedError
from orchestrator.core.facts import Current, TargetRelease
from orchestrator.core.kind_model import Capability, Effects, PlanTraits
from orchestrator.core.model.releases import Release
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.ports.recovery import ByHand
from orchestrator.core.state_kind import CrashRule, Options, Result, StateContext, StateKind
from orchestrator.core.store_facts import OtherData


class FindPrevious(StateKind[Options]):
    """Refuses unless everything is still here: the running version of that upgrade, the old image, the old data."""

    kind = "find_previous"
    former_names = ("recall",)
    summary = "Find the version and the data that the last upgrade replaced."
    crash_rule = CrashRule.RUN_AGAIN
    timeout_s = 60.0
    provides = (Current, TargetRelease, OtherData)
    needs_database = True

    @classmethod
    def effects(cls, options: Options, traits: PlanTraits) -> Effects:
        """The version and the data of before are still here."""
        return Effects(ensures=Capability.CURRENT | Capability.TARGET | Capability.IMAGE | Capability.REPLACEMENT)

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        """Where it looks."""
        return ("find the version and the data that the last upgrade replaced",)

    def perform(self, ctx: StateContext[Options]) -> Result:
        """Look into the journal, then at the engine and the server."""
        earlier = ctx.history.last_commit()
        if earlier is None:
            raise RefusedError(
                "refused.no_commit", "No upgrade of this project has stayed, so there is nothing to go back to."
            )
        running = ctx.ports.finder.running()
        if running.version != earlier.target.release.version:
            raise RefusedError(
                "refused.other_version",
                f"{running.version} runs, which is not what run {earlier.run_id} has brought"
                f" ({earlier.target.release.version}).",
                impact=UNTOUCHED,
                hint="`orchestrator backups list` names the backups of each version.",
            )
        found = [(store, _find_snapshot(store, earlier)) for store in ctx.stores]
        target = _find_target(ctx, earlier)
        others = [_build_other(store, kept, earlier) for store, kept in found]
        reason = f"{running.version} → {earlier.current.version}"
        return Result("done", (running, target, *others), reason)


def _build_other(store: DataStore, kept: KeptSnapshot, earlier: CommittedRun) -> OtherData:
    then = earlier.marks.get(store.name)
    return OtherData(
        store=store.name,
        artifact=kept.replica.id,
        origin=f"as it was when run {earlier.run_id} stopped the app at {kept.snapshot.taken_at:%Y-%m-%d %H:%M}",
        version=earlier.current.version,
        commits_since=store.count_commits(kept.snapshot.source, then) if then else None,
    )


def _find_snapshot(store: DataStore, earlier: CommittedRun) -> KeptSnapshot:
    kept = earlier.snapshots.get(store.name)
    if kept is not None and kept.replica.ref in store.sizes():
        return kept
    raise RefusedError(
        "refused.no_snapshot",
        f"The data as it was before run {earlier.run_id} does not lie beside the database any more.",
        impact=UNTOUCHED,
        hint="`orchestrator backups list` names the backups; `orchestrator backups restore FILE` brings one back.",
    )


def _find_target(ctx: StateContext[Options], earlier: CommittedRun) -> TargetRelease:
    old = earlier.current
    image = ctx.ports.images.find(old.image_id)
    if image is None or old.digest is None or old.digest not in image.digests:
        pull = ctx.ports.recovery.phrase(ByHand.PULL_IMAGE, f"{ctx.target.image}:{old.version}")
        raise RefusedError(
            "refused.no_image",
            f"The image of {old.version} is not on this host any more.",
            impact=UNTOUCHED,
            hint=f"{pull}, if it is still published unchanged.",
        )
    return TargetRelease(
        release=Release(version=old.version), repository=ctx.target.image, digest=old.digest, downgrade=True
    )
