"""Findings as lines of text, and the refusal of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.checker.findings import Finding, check_plan
from orchestrator.checker.search import SAVED, TraceStep
from orchestrator.core.errors import PlanError
from orchestrator.core.state_kind import StateKind
from orchestrator.plan.schema import Plan

UNSAFE = "plan.unsafe"


def require_safe(plan: Plan, kinds: Mapping[str, type[StateKind[Any]]]) -> tuple[Finding, ...]:
    """Check a plan against the model; the warnings.

    Raises:
        PlanError: ``plan.unsafe``, with each error as `tell_finding` tells it.
    """
    findings = check_plan(plan, kinds)
    errors = [finding for finding in findings if finding.is_error]
    if not errors:
        return findings
    amount = "1 way" if len(errors) == 1 else f"{len(errors)} ways"
    raise PlanError(
        UNSAFE,
        f"The plan {plan.source} could do harm: {amount} in which it goes wrong.",
        problems=tuple(tell_finding(finding, plan.source) for finding in errors),
        hint="Change the lines that are named; docs/rules.md explains each rule.",
    )


def tell_finding(finding: Finding, source: Path) -> str:
    """``file:line:column: level: rule: what``, and below it why, the path, the moment and what mends it."""
    place, rule = finding.position, finding.rule
    lines = [f"{source}:{place.line}:{place.column}: {rule.level.value} {rule.title}: {finding.what}."]
    lines.append(f"    why:  {rule.why}")
    path = tell_path(finding.path)
    if path:
        lines += [f"    {'path: ' if not number else '      '}{line}" for number, line in enumerate(path)]
    if finding.moment:
        lines.append(f"    then: {finding.moment}.")
    lines.append(f"    mend: {finding.mend}")
    return "\n".join(lines)


def tell_path(hops: Sequence[TraceStep]) -> tuple[str, ...]:
    """``state --outcome--> state``, one line each."""
    return tuple(_tell_hop(hop) for hop in hops)


def _tell_hop(hop: TraceStep) -> str:
    if hop.outcome == SAVED:
        return "(users save something)"
    return f"{hop.state} --{hop.outcome}--> {hop.to}{f'   ({hop.event})' if hop.event else ''}"
