"""preflight: everything that an upgrade needs is tried while nothing has been touched."""

from orchestrator.core.errors import RefusedError
from orchestrator.core.kind_model import Capability, Effects, PlanTraits
from orchestrator.core.state_kind import CrashRule, Options, Result, StateContext, StateKind
from states.shared.preflight_checks import find_problems
from states.shared.retry import BRIEF_S, retry_while_unreachable


class Preflight(StateKind[Options]):
    """Engine, project files, image, database and room on disk; all problems are reported at once."""

    kind = "preflight"
    summary = "Try every precondition before anything is touched."
    refuses_drift = True
    crash_rule = CrashRule.RUN_AGAIN
    timeout_s = 120.0

    @classmethod
    def effects(cls, options: Options, traits: PlanTraits) -> Effects:
        """Whether to begin at all."""
        return Effects(ensures=Capability.READY, judges=True)

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        """What is looked at."""
        return ("try engine, image, database, backup folder, version variable and room on disk",)

    def perform(self, ctx: StateContext[Options]) -> Result:
        """Look at each precondition; any that is not met ends in ``failed`` with all of them."""
        found = retry_while_unreachable(ctx, lambda: find_problems(ctx), at_most_s=BRIEF_S)
        problems = found.problems
        if len(problems) == 1:
            raise problems[0]
        if problems:
            listed = " ".join(
                f"({number}) {problem.summary} {problem.hint}".rstrip() for number, problem in enumerate(problems, 1)
            )
            raise RefusedError("refused.preflight", f"{len(problems)} preconditions are not met: {listed}")
        return Result("done", reason=" ".join(("Every precondition is met.", *found.doubts)))
