"""health: the new version serves, is the one it should be, and stays up."""

from dataclasses import replace

from orchestrator.core.errors import DeadlineExceededError, HealthError, PlatformError, StateError
from orchestrator.core.facts import FrozenProject, Serving
from orchestrator.core.kind_model import Capability, Effects, PlanTraits, Step
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.ports.probe import Probe
from orchestrator.core.state_kind import CrashRule, HealthCheck, Observation, Options, Result, StateContext, StateKind
from orchestrator.plan.durations import Duration
from orchestrator.redaction.terminal_text import sanitize
from states.shared.health_check import Look, await_serving, expect_target, explain_ill, inspect_health, is_behind_gate
from states.shared.private_health import PastGate
from states.shared.retry import retry_while_unreachable
from states.shared.step_progress import build_progress

_LOG_LINES = 30


class HealthOptions(Options):
    """How this state tells that the app serves."""

    url: str | None = None
    """Address to ask; left out, that of `target: health:`."""

    steady_for: Duration | None = None
    """How long the app must be healthy without a restart; left out, as `target: health:` says."""


class Health(StateKind[HealthOptions]):
    """Judges by containers, by an answer from outside, and by the version that the app itself reports.

    It is steady from its first good answer on, and well once the engine's own check says so too. Behind a closed gate
    all this is asked of the app's private address; users are served from `commit` on.
    """

    kind = "health"
    summary = "Wait until the new version is healthy, the right one, and steady."
    scope = EffectScope.DATABASE  # the app it watches writes
    crash_rule = CrashRule.JUDGE
    timeout_s = 300.0
    provides = (Serving,)
    unseen_code = "health.not_steady"
    Options = HealthOptions

    @classmethod
    def effects(cls, options: HealthOptions, traits: PlanTraits) -> Effects:
        """The new version is well, where it was started."""
        return Effects(
            needs=(Capability.TARGET, Capability.STARTED), steps=(Step.PROVE_NEW,), ensures=Capability.HEALTH
        )

    def describe(self, ctx: StateContext[HealthOptions]) -> tuple[str, ...]:
        """What it looks at."""
        check = _public_check(ctx)
        where = f"{check.url} answers" if check.url else "its containers are healthy"
        past = ", asked past the closed gate," if check.url and ctx.gated else ""
        return (f"wait until {where}{past} and nothing restarts for {check.steady_for_s:g} s",)

    def perform(self, ctx: StateContext[HealthOptions]) -> Result:
        """Wait for steady health; what failed is told with the container's last words."""
        ctx.report(build_progress(ctx, "Watching the new version", "start_s"))
        try:
            serving = retry_while_unreachable(
                ctx, lambda: await_serving(ctx, _public_check(ctx), expect_target(ctx), _probe(ctx))
            )
        except (HealthError, DeadlineExceededError, PlatformError) as error:
            words = _last_words(ctx)
            raise type(error)(
                error.code, error.summary, impact=error.impact, hint=error.hint, log_tail=words
            ) from error
        return Result("done", () if is_behind_gate(ctx) else (serving,))

    def observe(self, ctx: StateContext[HealthOptions]) -> Observation:
        """One more look after the waiting."""
        look = retry_while_unreachable(ctx, lambda: _look(ctx))
        return Observation.PARTIAL if look.problem else Observation.DONE


def _look(ctx: StateContext[HealthOptions]) -> Look:
    return inspect_health(_public_check(ctx), expect_target(ctx), ctx.ports.workloads, _probe(ctx))


def _probe(ctx: StateContext[HealthOptions]) -> Probe:
    check, probe = _public_check(ctx), ctx.ports.probe
    if not is_behind_gate(ctx):
        return probe
    return PastGate(probe, {url: _past_gate(ctx, url) for url in (check.url, check.version_url) if url is not None})


def _past_gate(ctx: StateContext[HealthOptions], url: str) -> str:
    try:
        found = ctx.ports.workloads.find_private_url(ctx.require(FrozenProject), url, ctx.target.services)
    except PlatformError as error:
        raise _explain_no_address(ctx, error) from error
    if found is None:
        raise HealthError(
            "health.not_behind_gate",
            f"{url} cannot be asked behind the closed gate: which port of the services it leads to is not clear.",
            hint="Name such an address for health, or write `gate: open` under `with:` of the start state.",
        )
    return found


# A container that has ended has no address: why it has ended says more.
def _explain_no_address(ctx: StateContext[HealthOptions], error: PlatformError) -> StateError:
    if error.code != "gate.no_address":
        return error
    look = inspect_health(
        replace(_public_check(ctx), url=None), expect_target(ctx), ctx.ports.workloads, ctx.ports.probe
    )
    return explain_ill(look) if look.fatal else error


def _public_check(ctx: StateContext[HealthOptions]) -> HealthCheck:
    health, options = ctx.target.health, ctx.options
    return replace(
        health,
        url=options.url or health.url,
        steady_for_s=health.steady_for_s if options.steady_for is None else options.steady_for,
    )


def _last_words(ctx: StateContext[HealthOptions]) -> str:
    try:
        statuses = ctx.ports.workloads.inspect_services(ctx.target.services)
        return "\n".join(sanitize(ctx.ports.workloads.read_logs(s.container_id, lines=_LOG_LINES)) for s in statuses)
    except StateError as error:
        return f"(its log could not be read: {error.summary})"
