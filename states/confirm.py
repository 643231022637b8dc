"""confirm: ask the operator, with everything in view that is about to happen."""

from collections.abc import Sequence

from orchestrator.core.errors import RefusedError
from orchestrator.core.facts import Current, FrozenProject, Rehearsal, TargetRelease
from orchestrator.core.kind_model import Capability, Effects, PlanTraits
from orchestrator.core.model.progress import Question
from orchestrator.core.state_kind import FAILED, CrashRule, Options, Result, StateContext, StateKind
from orchestrator.core.store_facts import OtherData


class Confirm(StateKind[Options]):
    """Asks once, after all that can be known without touching anything is known."""

    kind = "confirm"
    summary = "Ask the operator whether to upgrade now."
    outcomes = {
        "accepted": "the operator said yes, or `--force` was given",
        "declined": "the operator said no, or nobody could be asked",
        FAILED: "the question could not be put",
    }
    success = "accepted"
    asks = True
    crash_rule = CrashRule.RUN_AGAIN
    timeout_s = 3600.0

    @classmethod
    def effects(cls, options: Options, traits: PlanTraits) -> Effects:
        """The operator's yes."""
        return Effects(
            needs=(Capability.CURRENT, Capability.TARGET), ensures=Capability.CONSENT, success=cls.success, judges=True
        )

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        """Whether it would ask."""
        return ("go on without asking (--force)" if ctx.assume_yes else "ask whether to upgrade now",)

    def perform(self, ctx: StateContext[Options]) -> Result:
        """Put the question; a yes counts for the files that it was asked about."""
        if ctx.assume_yes:
            _refuse_edited(ctx)
            return Result("accepted", reason="--force was given.")
        answer = ctx.ports.operator.confirm(_question(ctx))
        ctx.deadline.check()
        if answer is None:
            return Result("declined", reason="There is no terminal to ask at; --force upgrades without asking.")
        if not answer:
            return Result("declined", reason="Declined by the operator.")
        _refuse_edited(ctx)
        return Result("accepted")


def _refuse_edited(ctx: StateContext[Options]) -> None:
    project = ctx.find(FrozenProject)
    edited = ctx.ports.workloads.find_edits(project) if project else ()
    if edited:
        raise RefusedError(
            "refused.edited",
            f"Edited since this run began: {', '.join(edited)}.",
            impact="Nothing was changed: what was confirmed is not what is there now.",
            hint="Run the upgrade again; it begins with the files as they are then.",
        )


def _question(ctx: StateContext[Options]) -> Question:
    current, target = ctx.require(Current), ctx.require(TargetRelease)
    minutes = ctx.worst_case_downtime_s / 60
    rehearsal, others = ctx.find(Rehearsal), ctx.facts.find_all(OtherData)
    lines: tuple[str, ...] = (
        f"from   {current.version}",
        f"to     {target.release.version}{'  (older than what runs)' if target.downgrade else ''}",
        f"image  {target.repository}:{target.tag}",
        f"digest {target.digest}",
        f"steps  {' → '.join(ctx.steps)}",
        *(_tell_rehearsed(rehearsal) if rehearsal else ()),
        f"outage {minutes:.0f} min at the very worst: the sum of all deadlines while the app is down",
    )
    if not others:
        notes = target.release.notes
        return Question(title=f"Upgrade to {target.release.version}", lines=lines, notes=notes)
    lines += (*(f"data   {other.origin}" for other in others), _describe_present(others))
    title = f"Go back to {target.release.version} and the data of before"
    if target.release.version == current.version:
        title = "Exchange the data"
        lines += _describe_versions(others, current)
    return Question(title=title, lines=lines, prompt="Do it now?")


def _describe_present(others: Sequence[OtherData]) -> str:
    commits = [other.commits_since for other in others if other.commits_since is not None]
    known = len(commits) == len(others)
    counted = f"{sum(commits)} transactions that were committed since" if known else "what was saved since"
    return f"since  {counted} will not be in it; the present data is dumped first and kept aside as a database"


def _describe_versions(others: Sequence[OtherData], current: Current) -> tuple[str, ...]:
    versions = dict.fromkeys(other.version for other in others if other.version != current.version)
    return tuple(f"note   the data belongs to {version}, and {current.version} must live on it" for version in versions)


def _tell_rehearsed(rehearsal: Rehearsal) -> tuple[str]:
    lock = f"a table was locked for {rehearsal.longest_lock_s:.1f} s at most"
    return (f"outage about {rehearsal.outage_s:.0f} s as it was rehearsed; {lock}",)
