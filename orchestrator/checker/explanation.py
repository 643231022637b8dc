"""Explain findings as lines of text, and refuse an unsafe plan."""

from collections.abc import Sequence
from pathlib import Path

from orchestrator.checker.findings import Finding, check_plan
from orchestrator.checker.search import SAVED, TraceStep
from orchestrator.core.errors import PlanError
from orchestrator.core.state_kind import Kinds
from orchestrator.plan.schema import Plan


def require_safe(plan: Plan, kinds: Kinds) -> None:
    """Check a plan against the model; warnings pass. Raises `PlanError`, ``plan.unsafe``, with each error."""
    errors = [finding for finding in check_plan(plan, kinds) if finding.is_error]
    if not errors:
        return
    amount = "1 way" if len(errors) == 1 else f"{len(errors)} ways"
    raise PlanError(
        "plan.unsafe",
        f"The plan {plan.source} could do harm: {amount} in which it goes wrong.",
        problems=tuple(explain_finding(finding, plan.source) for finding in errors),
        hint="Change the lines that are named; docs/rules.md explains each rule.",
    )


def explain_finding(finding: Finding, source: Path) -> str:
    """Write ``file:line:column: level rule: problem``, and below it the reason, path, moment and remedy."""
    place, rule = finding.position, finding.rule
    lines = [f"{source}:{place.line}:{place.column}: {rule.level.value} {rule.title}: {finding.problem}."]
    lines.append(f"    why:  {rule.why}")
    path = format_path(finding.path)
    if path:
        lines += [f"    {'path: ' if not number else '      '}{line}" for number, line in enumerate(path)]
    if finding.moment:
        lines.append(f"    then: {finding.moment}.")
    lines.append(f"    fix:  {finding.remedy}")
    return "\n".join(lines)


def format_path(trace: Sequence[TraceStep]) -> tuple[str, ...]:
    """Write each step as a line ``state --outcome--> state``."""
    return tuple(_format_step(step) for step in trace)


def _format_step(step: TraceStep) -> str:
    if step.outcome == SAVED:
        return "(users save something)"
    return f"{step.state} --{step.outcome}--> {step.to}{f'   ({step.event})' if step.event else ''}"
