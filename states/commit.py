"""commit: from here on the new version stays; nothing automatic touches data any more."""

from contextlib import suppress

from orchestrator.core.errors import PlatformError, StateError
from orchestrator.core.facts import Committed, FrozenProject, Serving, TargetRelease
from orchestrator.core.kind_model import Capability, Effects, PlanTraits, Step
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.model.stores import ChangeToken
from orchestrator.core.model.workloads import Gate
from orchestrator.core.ports.recovery import ByHand
from orchestrator.core.state_kind import CrashRule, HealthCheck, Observation, Options, Result, StateContext, StateKind
from orchestrator.core.store_facts import Fence
from states.shared.health_check import (
    Look,
    await_serving,
    expect_target,
    inspect_health,
    is_behind_gate,
    observe_serving,
    shorten,
)
from states.shared.new_image import find_new_images
from states.shared.retry import retry_while, retry_while_unreachable
from states.shared.step_progress import build_progress


class Commit(StateKind[Options]):
    """The pivot. Its record is what counts: once what `prepare` returns is durable, the new version stays.

    Only then does `perform` open a closed gate, so that no user can write into a version that may still be taken
    away. A check that fails belongs into `prepare`; what fails in `perform` never goes back, and no signal cuts
    it off.
    """

    kind = "commit"
    summary = "Keep the new version, and let users reach it."
    scope = EffectScope.APP
    crash_rule = CrashRule.FORWARD
    timeout_s = 300.0  # behind a closed gate the app boots once more
    provides = (Committed, Serving)
    interruptible = False
    opens_gate = True

    @classmethod
    def effects(cls, options: Options, traits: PlanTraits) -> Effects:
        """The pivot, and then the gate."""
        return Effects(
            needs=(Capability.TARGET, Capability.STARTED), steps=(Step.COMMIT, Step.OPEN_GATE), ensures=Capability.PIVOT
        )

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        """What it means."""
        keep = "keep the new version: from here on nothing automatic touches data"
        opening = f"start {', '.join(ctx.target.services)} where users reach it, and wait until it answers"
        return (keep, opening) if ctx.gated else (keep,)

    def prepare(self, ctx: StateContext[Options]) -> tuple[Committed]:
        """The pivot itself."""
        target, at = ctx.require(TargetRelease), ctx.ports.clock.now()
        return (Committed(at=at, version=target.release.version, pin=str(target.pin), marks=_take_tokens(ctx)),)

    def perform(self, ctx: StateContext[Options]) -> Result:
        """Pin what was proven, open the gate if it is closed, and see that users get an answer."""
        reason = retry_while_unreachable(ctx, lambda: _pin_again(ctx))
        if not is_behind_gate(ctx):
            return Result("done", reason=reason)
        ctx.report(build_progress(ctx, "Opening the gate", "start_s"))
        _open_gate(ctx)
        serving = retry_while_unreachable(ctx, lambda: await_serving(ctx, _check(ctx), expect_target(ctx)))
        return Result("done", (serving,), reason)

    def observe(self, ctx: StateContext[Options]) -> Observation:
        """The live pin, and behind a gate that was closed one more look as a user."""
        if retry_while_unreachable(ctx, ctx.ports.workloads.read_pin) != ctx.require(Committed).pin:
            return Observation.ABSENT
        if not is_behind_gate(ctx):
            return Observation.DONE
        return observe_serving(ctx, lambda: _look(ctx))


# An edit of it meanwhile meant another version than the one that was confirmed, is proven, and stays.
def _pin_again(ctx: StateContext[Options]) -> str:
    workloads, pin = ctx.ports.workloads, ctx.require(Committed).pin
    if workloads.read_pin() == pin:
        return ""
    workloads.write_pin(pin)
    return f"{ctx.target.version_variable} was changed while the upgrade was at work; it is {pin} again."


# A later `rollback` counts from here; an upgrade that is proven does not fail for want of a count.
def _take_tokens(ctx: StateContext[Options]) -> dict[str, ChangeToken]:
    tokens: dict[str, ChangeToken] = {}
    for store in ctx.stores:
        fence = ctx.find(Fence, store.name)  # users wait: what `stop` has found is not asked for again
        with suppress(StateError):
            tokens[store.name] = store.token(fence.database if fence else store.inspect().name)
    return tokens


def _look(ctx: StateContext[Options]) -> Look:
    return inspect_health(_check(ctx), expect_target(ctx), ctx.ports.workloads, ctx.ports.probe)


def _check(ctx: StateContext[Options]) -> HealthCheck:
    return shorten(ctx.target.health)  # it was watched for long behind the gate


# There is no way back any more, so a moment's weakness of the engine must not end it.
def _open_gate(ctx: StateContext[Options]) -> None:
    workloads, project, pin = ctx.ports.workloads, ctx.require(FrozenProject), ctx.require(Committed).pin

    def start() -> None:
        workloads.start_services(
            project, ctx.target.services, pin, images=find_new_images(ctx), gate=Gate.OPEN, deadline=ctx.deadline
        )

    try:
        retry_while(ctx, start, lambda error: isinstance(error, PlatformError))
    except PlatformError as failure:
        by_hand = ctx.ports.recovery.phrase(ByHand.START_APP)
        raise PlatformError(
            "gate.not_opened",
            failure.summary,
            impact="The new version is committed, but users do not reach it.",
            hint=f"Correct what is said, then {by_hand} in the project's folder opens the gate.",
        ) from failure
