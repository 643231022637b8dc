"""rollback: the old version serves again."""

from dataclasses import replace
from datetime import timedelta

from orchestrator.core.facts import Current, FrozenProject, Serving
from orchestrator.core.kind_model import Capability, Effects, PlanTraits, Step
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.state_kind import CrashRule, HealthCheck, Observation, Options, Result, StateContext, StateKind
from states.shared.health_check import Expectation, Look, await_steady, inspect_health, observe_serving, shorten
from states.shared.previous_version import find_old_images, find_old_pin, finish_stop
from states.shared.retry import GOING_BACK, retry_while_unreachable
from states.shared.step_progress import build_progress
from states.shared.write_lock import unlock_stores


class Rollback(StateKind[Options]):
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
    def effects(cls, options: Options, traits: PlanTraits) -> Effects:
        """The old version, seen to serve."""
        return Effects(
            needs=(Capability.CURRENT,),
            steps=(Step.PIN_OLD, Step.OPEN_DATABASE, Step.START_OLD, Step.PROVE_OLD),
            ensures=Capability.OLD_SERVES,
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
        current, clock = ctx.require(Current), ctx.ports.clock
        retry_while_unreachable(ctx, lambda: _bring_up(ctx), also=GOING_BACK)
        since = retry_while_unreachable(ctx, lambda: _await_steady(ctx))
        at = clock.now() - timedelta(seconds=clock.monotonic() - since)
        return Result("done", (Serving(at=at, version=current.version, image_id=current.image_id),))

    def observe(self, ctx: StateContext[Options]) -> Observation:
        """One more look at the old version."""
        return observe_serving(ctx, lambda: _look(ctx))


def _bring_up(ctx: StateContext[Options]) -> None:
    ctx.report(build_progress(ctx, "Starting the old version"))
    finish_stop(ctx)
    project = ctx.require(FrozenProject)
    ctx.ports.workloads.write_pin(project.pin_text)
    unlock_stores(ctx)
    ctx.ports.workloads.start_services(
        project, ctx.target.services, find_old_pin(ctx), images=find_old_images(ctx), deadline=ctx.deadline
    )


def _await_steady(ctx: StateContext[Options]) -> float:
    world = ctx.ports
    return await_steady(
        _check(ctx),
        _expect(ctx),
        workloads=world.workloads,
        probe=world.probe,
        clock=world.clock,
        deadline=ctx.deadline,
        tell=ctx.tell,
    )


def _look(ctx: StateContext[Options]) -> Look:
    return inspect_health(_check(ctx), _expect(ctx), ctx.ports.workloads, ctx.ports.probe)


def _expect(ctx: StateContext[Options]) -> Expectation:
    return Expectation(ctx.target.services, ctx.require(Current).image_id, None)


def _check(ctx: StateContext[Options]) -> HealthCheck:
    return replace(shorten(ctx.target.health), version_url=None)  # it need not say which version it is
