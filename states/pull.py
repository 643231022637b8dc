"""pull: the new image is on this host, whole, and is the one that was chosen."""

from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import Current, PulledImage, TargetRelease
from orchestrator.core.kind_model import NO_CAPABILITY, Capability, Effects, PlanTraits
from orchestrator.core.ledger import Artifact, ArtifactKind
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.model.images import LocalImage
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind
from states.shared.artifacts import intend, require_intended
from states.shared.retry import retry_while_unreachable


class PullOptions(Options):
    """Whether it downloads."""

    network: bool = True
    """`false` only asserts that the image is there, for a plan that downloads it before it stops the app."""


class Pull(StateKind[PullOptions]):
    """Downloads by digest, gives the image its tag, and keeps the old image from being pruned."""

    kind = "pull"
    summary = "Have the new image here, by digest; keep the old one."
    scope = EffectScope.IMAGES
    crash_rule = CrashRule.OBSERVE
    timeout_s = 1800.0
    provides = (PulledImage,)
    Options = PullOptions

    @classmethod
    def effects(cls, options: PullOptions, traits: PlanTraits) -> Effects:
        """The new image, downloaded or only looked for."""
        assumes = NO_CAPABILITY if options.network else Capability.IMAGE
        return Effects(
            needs=(Capability.CURRENT, Capability.TARGET),
            ensures=Capability.IMAGE,
            network=options.network,
            assumes=assumes,
        )

    def describe(self, ctx: StateContext[PullOptions]) -> tuple[str, ...]:
        """Where the image comes from."""
        target = ctx.find(TargetRelease)
        image = target.shown if target else f"the new image of {ctx.target.image}"
        return (f"download {image}" if ctx.options.network else f"assert that {image} is here, without the network",)

    def prepare(self, ctx: StateContext[PullOptions]) -> tuple[Artifact]:
        """Return the row of the name under which the old image will be kept."""
        return (intend(ctx, ArtifactKind.IMAGE, f"upgrade-orchestrator/kept:{ctx.run_id}", None),)

    def perform(self, ctx: StateContext[PullOptions]) -> Result:
        """Keep the old image first, then fetch the new one unless it is here."""
        target, kept = ctx.require(TargetRelease), require_intended(ctx, ArtifactKind.IMAGE, None)
        image = retry_while_unreachable(ctx, lambda: _keep_and_fetch(ctx, target, kept.ref))
        fact = PulledImage(image_id=image.image_id, digest=target.digest, size_bytes=image.size_bytes, kept_as=kept.ref)
        return Result("done", (fact, kept.whole()))

    def observe(self, ctx: StateContext[PullOptions]) -> Observation:
        """By digest, never by tag."""
        return Observation.DONE if _find(ctx, ctx.require(TargetRelease)) else Observation.ABSENT


def _keep_and_fetch(ctx: StateContext[PullOptions], target: TargetRelease, kept_as: str) -> LocalImage:
    ctx.ports.images.keep(ctx.require(Current).image_id, kept_as)
    return _find(ctx, target) or _download(ctx, target)


def _find(ctx: StateContext[PullOptions], target: TargetRelease) -> LocalImage | None:
    return ctx.ports.images.find(f"{target.repository}@{target.digest}")


def _download(ctx: StateContext[PullOptions], target: TargetRelease) -> LocalImage:
    if not ctx.options.network:
        raise PlatformError(
            "image.missing",
            f"The image {target.repository}:{target.pin} is not on this host any more.",
            hint="Something removed it after it was downloaded; run the upgrade again.",
        )
    return ctx.ports.images.pull(target.repository, target.pin, report=ctx.report, deadline=ctx.deadline)
