"""confirm: ask the operator, with everything in view that is about to happen."""

from orchestrator.contract import FAILED, CrashRule, Options, Result, State, StateContext
from orchestrator.facts import Current, Target
from orchestrator.model import Question


class Confirm(State[Options]):
    """Asks once, after all that can be known without touching anything is known."""

    kind = "confirm"
    summary = "Ask the operator whether to upgrade now."
    outcomes = {
        "accepted": "the operator said yes, or `--force` was given",
        "declined": "the operator said no, or nobody could be asked",
        FAILED: "the question could not be put",
    }
    crash_rule = CrashRule.RUN_AGAIN
    timeout_s = 3600.0

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        """Whether it would ask."""
        return ("go on without asking (--force)" if ctx.assume_yes else "ask whether to upgrade now",)

    def perform(self, ctx: StateContext[Options]) -> Result:
        """Put the question."""
        if ctx.assume_yes:
            return Result("accepted", reason="--force was given.")
        answer = ctx.world.operator.confirm(_question(ctx))
        ctx.deadline.check()
        if answer is None:
            return Result("declined", reason="There is no terminal to ask at; --force upgrades without asking.")
        return Result("accepted" if answer else "declined", reason="" if answer else "Declined by the operator.")


def _question(ctx: StateContext[Options]) -> Question:
    current, target = ctx.require(Current), ctx.require(Target)
    minutes = ctx.worst_case_downtime_s / 60
    lines = (
        f"from   {current.version}",
        f"to     {target.release.version}{'  (older than what runs)' if target.downgrade else ''}",
        f"image  {target.repository}:{target.release.version}",
        f"digest {target.digest}",
        f"steps  {' → '.join(ctx.steps)}",
        f"outage {minutes:.0f} min at the very worst: the sum of all deadlines while the app is down",
    )
    notes = target.release.notes
    return Question(title=f"Upgrade to {target.release.version}", lines=lines, notes=notes)
