"""check: is there a newer release than the one that runs?"""

from orchestrator.core.facts import Current, TargetRelease
from orchestrator.core.kind_model import Capability, Effects, PlanTraits
from orchestrator.core.ports.release_finder import Choice
from orchestrator.core.state_kind import FAILED, CrashRule, Options, Result, StateContext, StateKind
from orchestrator.releases.failed_before import refuse_failed, tell_failed_trial
from states.shared.retry import BRIEF_S, retry_while_unreachable


class Check(StateKind[Options]):
    """Reads the running version and the release source, and pins the release to go to by its digest."""

    kind = "check"
    summary = "Find out which version runs and which release to go to."
    outcomes = {
        "newer": "there is a release to go to",
        "current": "the newest release runs already",
        FAILED: "the running version or the releases could not be read, or the wanted release does not exist",
    }
    success = "newer"
    crash_rule = CrashRule.RUN_AGAIN
    timeout_s = 60.0
    provides = (Current, TargetRelease)

    @classmethod
    def effects(cls, options: Options, traits: PlanTraits) -> Effects:
        """Which version runs, and which one to go to."""
        return Effects(
            ensures=Capability.CURRENT | Capability.TARGET,
            success=cls.success,
            on_outcome=(("current", Capability.CURRENT),),
            network=True,
        )

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        """Which release it would look for."""
        wanted = ctx.request.version or "the newest release"
        return (f"compare the running version with {wanted}",)

    def perform(self, ctx: StateContext[Options]) -> Result:
        """Choose the release."""
        choice = retry_while_unreachable(ctx, lambda: ctx.ports.finder.find(ctx.request), at_most_s=BRIEF_S)
        if choice.target is None:
            return Result("current", (choice.current,), f"{choice.current.version} is up to date.")
        refuse_failed(choice.target, ctx.history, ctx.request)
        ill = "" if choice.current.healthy else ", though what runs now is not healthy"
        reason = f"{choice.current.version} → {choice.target.release.version}{ill}{_tell_missing(choice)}"
        reason += tell_failed_trial(choice.target, ctx.history)
        return Result("newer", (choice.current, choice.target), reason)


def _tell_missing(choice: Choice) -> str:
    return f"; announced, but without an image yet: {', '.join(choice.without_image)}" if choice.without_image else ""
