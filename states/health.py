"""health: the new version serves, is the one it should be, and stays up."""

from dataclasses import replace
from datetime import timedelta

from orchestrator.contract import CrashRule, HealthCheck, Observation, Options, Result, State, StateContext
from orchestrator.errors import DeadlineExceededError, HealthError, StateError
from orchestrator.facts import Serving, Target
from orchestrator.inert import make_inert
from orchestrator.model import EffectScope
from orchestrator.plan.durations import Duration
from states.judgement import Expectation, await_steady, look_at

_LOG_LINES = 30


class HealthOptions(Options):
    """``url`` and ``steady_for`` override those of ``target: health:`` for this state."""

    url: str | None = None
    steady_for: Duration | None = None


class Health(State[HealthOptions]):
    """Judges by containers, by an answer from outside, and by the version that the app itself reports."""

    kind = "health"
    summary = "Wait until the new version is healthy, the right one, and steady."
    scope = EffectScope.DATABASE  # the app it watches writes
    crash_rule = CrashRule.RESTORE
    timeout_s = 300.0
    provides = (Serving,)
    Options = HealthOptions

    def describe(self, ctx: StateContext[HealthOptions]) -> tuple[str, ...]:
        """What it looks at."""
        check = _check(ctx)
        where = f"{check.url} answers" if check.url else "its containers are healthy"
        return (f"wait until {where} and nothing restarts for {check.steady_for_s:g} s",)

    def perform(self, ctx: StateContext[HealthOptions]) -> Result:
        """Wait for steady health; what failed is told with the container's last words."""
        world, clock = ctx.world, ctx.world.clock
        try:
            since = await_steady(
                _check(ctx),
                _expectation(ctx),
                platform=world.platform,
                probe=world.probe,
                clock=clock,
                deadline=ctx.deadline,
            )
        except (HealthError, DeadlineExceededError) as error:
            raise type(error)(error.code, f"{error.what}\n{_last_words(ctx)}", hint=error.hint) from error
        at = clock.now() - timedelta(seconds=clock.monotonic() - since)
        target = ctx.require(Target)
        return Result("done", (Serving(at=at, version=target.release.version, image_id=_expectation(ctx).image_id),))

    def observe(self, ctx: StateContext[HealthOptions]) -> Observation:
        """One more look after the waiting."""
        look = look_at(_check(ctx), _expectation(ctx), ctx.world.platform, ctx.world.probe)
        return Observation.PARTIAL if look.problem else Observation.DONE


def _check(ctx: StateContext[HealthOptions]) -> HealthCheck:
    health, options = ctx.target.health, ctx.options
    return replace(
        health,
        url=options.url or health.url,
        steady_for_s=health.steady_for_s if options.steady_for is None else options.steady_for,
    )


def _expectation(ctx: StateContext[HealthOptions]) -> Expectation:
    target = ctx.require(Target)
    image = ctx.world.platform.find_image(f"{target.repository}@{target.digest}")
    version = target.release.version.removeprefix("v") if ctx.target.health.version_url else None
    return Expectation(ctx.target.services, image.image_id if image else "", version)


def _last_words(ctx: StateContext[HealthOptions]) -> str:
    try:
        statuses = ctx.world.platform.inspect_services(ctx.target.services)
        return "\n".join(make_inert(ctx.world.platform.read_logs(s.container_id, lines=_LOG_LINES)) for s in statuses)
    except StateError as error:
        return f"(its log could not be read: {error.what})"
