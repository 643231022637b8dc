"""commit: from here on the new version stays; nothing automatic touches data any more."""

from orchestrator.contract import CrashRule, Observation, Options, Result, State, StateContext
from orchestrator.errors import HealthError
from orchestrator.facts import Target
from orchestrator.model import EffectScope


class Commit(State[Options]):
    """The pivot. Its durable record is what counts; what it checks is that the pin says what runs."""

    kind = "commit"
    summary = "Keep the new version."
    scope = EffectScope.FILES
    crash_rule = CrashRule.FORWARD
    timeout_s = 60.0

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        """What it means."""
        return ("keep the new version: from here on nothing automatic touches data",)

    def perform(self, ctx: StateContext[Options]) -> Result:
        """Assert that the project is pinned to what was proven."""
        pin = str(ctx.require(Target).pin)
        if ctx.world.platform.read_pin() != pin:
            raise HealthError(
                "commit.pin_changed",
                f"{ctx.target.version_variable} was changed while the upgrade was at work.",
                hint=f"The new version runs; set {ctx.target.version_variable}={pin} to keep it.",
            )
        return Result("done")

    def observe(self, ctx: StateContext[Options]) -> Observation:
        """The live pin."""
        same = ctx.world.platform.read_pin() == str(ctx.require(Target).pin)
        return Observation.DONE if same else Observation.ABSENT
