"""rollback: the old version serves again."""

from dataclasses import replace
from datetime import timedelta

from orchestrator.contract import CrashRule, HealthCheck, Observation, Options, Result, State, StateContext
from orchestrator.effects import Effects, Setting, Step, Thing
from orchestrator.facts import Current, FrozenProject, Serving
from orchestrator.model import EffectScope
from states.fencing import lift_fence
from states.judgement import Expectation, await_steady, look_at, shorten
from states.old_version import find_old_pin
from states.patience import repeat_while_away


class Rollback(State[Options]):
    """Old pin, old rendering, old image by its id; needs neither network nor registry. Health decides at the end."""

    kind = "rollback"
    summary = "Start the old version as it was."
    scope = EffectScope.APP
    crash_rule = CrashRule.REPEAT
    timeout_s = 900.0
    provides = (Serving,)
    compensation = True
    interruptible = False

    @classmethod
    def effects(cls, options: Options, setting: Setting) -> Effects:
        """The old version, seen to serve."""
        return Effects(
            needs=(Thing.CURRENT,),
            steps=(Step.PIN_OLD, Step.OPEN_DATABASE, Step.START_OLD, Step.PROVE_OLD),
            ensures=Thing.OLD_SERVES,
        )

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        """Which version comes back."""
        current = ctx.find(Current)
        version = current.version if current else "the old version"
        return (
            f"put the old {ctx.target.version_variable} back",
            f"start {version} and wait until it is healthy",
        )

    def perform(self, ctx: StateContext[Options]) -> Result:
        """Pin, start, wait until it serves as it did."""
        project, current, clock = ctx.require(FrozenProject), ctx.require(Current), ctx.world.clock
        pin = find_old_pin(ctx)
        ctx.world.platform.write_pin(pin)
        repeat_while_away(ctx, lambda: lift_fence(ctx))
        ctx.world.platform.start_services(project, ctx.target.services, pin, deadline=ctx.deadline)
        since = await_steady(
            _check(ctx),
            Expectation(ctx.target.services, current.image_id, None),
            platform=ctx.world.platform,
            probe=ctx.world.probe,
            clock=clock,
            deadline=ctx.deadline,
        )
        at = clock.now() - timedelta(seconds=clock.monotonic() - since)
        return Result("done", (Serving(at=at, version=current.version, image_id=current.image_id),))

    def observe(self, ctx: StateContext[Options]) -> Observation:
        """One more look at the old version."""
        expected = Expectation(ctx.target.services, ctx.require(Current).image_id, None)
        look = look_at(_check(ctx), expected, ctx.world.platform, ctx.world.probe)
        return Observation.PARTIAL if look.problem else Observation.DONE


def _check(ctx: StateContext[Options]) -> HealthCheck:
    return replace(shorten(ctx.target.health), version_url=None)  # it need not say which version it is
