"""start: the new version comes up."""

from typing import Annotated

from pydantic import Field

from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import FrozenProject, MigrationReport, Rehearsal, Started, TargetRelease
from orchestrator.core.kind_model import Capability, Effects, PlanTraits, Step
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.model.workloads import Gate
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind
from orchestrator.core.store_facts import OtherData
from states.shared.new_image import find_new_image, find_new_images
from states.shared.retry import retry_while_unreachable
from states.shared.step_progress import build_progress
from states.shared.write_lock import require_untouched, unlock_stores


class StartOptions(Options):
    """Who reaches what is started."""

    gate: Annotated[Gate, Field(strict=False)] = Gate.OPEN
    """`closed` brings it up where no user reaches it; a `commit` state then opens the gate."""


class Start(StateKind[StartOptions]):
    """Sets the pin and brings the services up as they were frozen; never pulls, never builds."""

    kind = "start"
    summary = "Pin the new version and start it."
    scope = EffectScope.DATABASE  # many apps migrate as they start
    crash_rule = CrashRule.JUDGE
    timeout_s = 300.0
    provides = (Started,)
    Options = StartOptions

    @classmethod
    def effects(cls, options: StartOptions, traits: PlanTraits) -> Effects:
        """The new version, where users reach it or where they do not."""
        start = Step.START_NEW_GATED if cls.closes_gate(options) else Step.START_NEW
        return Effects(
            needs=(Capability.TARGET, Capability.IMAGE),
            steps=(Step.PIN_NEW, Step.OPEN_DATABASE, start),
            ensures=Capability.STARTED,
        )

    def describe(self, ctx: StateContext[StartOptions]) -> tuple[str, ...]:
        """What the pin becomes, and who reaches what is started."""
        target = ctx.find(TargetRelease)
        pin = f"{target.tag}@{target.digest[:19]}…" if target else "the new version"
        where = " where no user reaches it" if ctx.options.gate is Gate.CLOSED else ""
        return (
            f"set {ctx.target.version_variable} to {pin}",
            f"start {', '.join(ctx.target.services)}{where}",
        )

    def perform(self, ctx: StateContext[StartOptions]) -> Result:
        """Pin first: whatever starts the project from now on starts the new version."""
        if _writes_first(ctx):
            require_untouched(ctx)
        ctx.ports.workloads.write_pin(str(ctx.require(TargetRelease).pin))
        retry_while_unreachable(ctx, lambda: _bring_up(ctx))
        retry_while_unreachable(ctx, lambda: _require_as_confirmed(ctx))
        return Result("done", (Started(at=ctx.ports.clock.now(), gate=ctx.options.gate),))

    def observe(self, ctx: StateContext[StartOptions]) -> Observation:
        """Every service has a container of the new image; whether it is well is for `health`."""
        image_id: str | None = retry_while_unreachable(ctx, lambda: find_new_image(ctx))
        found = retry_while_unreachable(ctx, lambda: ctx.ports.workloads.inspect_services(ctx.target.services))
        right = {s.service for s in found if image_id is not None and s.image_id == image_id}
        if not right:
            return Observation.ABSENT
        return Observation.DONE if right == set(ctx.target.services) else Observation.PARTIAL


def _bring_up(ctx: StateContext[StartOptions]) -> None:
    ctx.report(build_progress(ctx, "Starting the new version"))
    unlock_stores(ctx)
    rehearsal = ctx.find(Rehearsal)
    ctx.ports.workloads.start_services(
        ctx.require(FrozenProject),
        ctx.target.services,
        str(ctx.require(TargetRelease).pin),
        images=find_new_images(ctx),
        gate=ctx.options.gate,
        apart=rehearsal is not None and rehearsal.alone,
        deadline=ctx.deadline,
    )


def _require_as_confirmed(ctx: StateContext[StartOptions]) -> None:
    drift = ctx.ports.workloads.find_drift(
        ctx.require(FrozenProject),
        pin=str(ctx.require(TargetRelease).pin),
        services=ctx.target.services,
        gate=ctx.options.gate,
    )
    if drift:
        raise PlatformError(
            "service.drift",
            f"What came up is not what was confirmed: {drift}.",
            impact="Nothing but the version was to change.",
            hint="Look for what changes containers as they are made, then try the release again with --retry.",
        )


def _writes_first(ctx: StateContext[StartOptions]) -> bool:
    # An app that migrates as it starts. A data exchange has written already, and so has what was started before.
    return ctx.find(MigrationReport) is None and not ctx.facts.find_all(OtherData) and ctx.find(Started) is None
