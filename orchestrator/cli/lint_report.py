"""What `orchestrator lint` prints: text, JSON, SARIF for editors and CI, and the plan's graph with the path in it."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.checker.explanation import explain_finding, format_path
from orchestrator.checker.findings import Finding
from orchestrator.checker.rules import RULES, Level, Rule
from orchestrator.core.errors import PlanError
from orchestrator.plan.schema import Plan

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
_PROBLEM = re.compile(r"^(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<text>.*)$", re.DOTALL)
_FORM = "plan"  # the rule of what the loader refuses


def render_text(plan: Plan, findings: Sequence[Finding]) -> str:
    """A verdict in one line, and each finding below it."""
    size = f"{len(plan.states)} states and {len(plan.ends)} ends"
    warnings = sum(not finding.is_error for finding in findings)
    errors = len(findings) - warnings
    if not findings:
        return f"{plan.source}: no problem in {size}"
    counted = ", ".join(_count(number, word) for number, word in ((errors, "error"), (warnings, "warning")) if number)
    return "\n".join([f"{plan.source}: {counted} in {size}", *(explain_finding(one, plan.source) for one in findings)])


def build_json(plan: Plan, findings: Sequence[Finding]) -> dict[str, Any]:
    """The document of ``lint --json``."""
    return {
        "schema": 1,
        "plan": str(plan.source),
        "problems": [explain_finding(finding, plan.source) for finding in findings if finding.is_error],
        "findings": [_to_json(finding) for finding in findings],
    }


def render_sarif(source: Path, findings: Sequence[Finding]) -> str:
    """SARIF 2.1.0 with one result a finding; each path is a code flow."""
    results = [
        {
            "ruleId": finding.rule.id,
            "level": finding.rule.level.value,
            "message": {"text": f"{finding.problem}. {finding.remedy}"},
            "locations": [_locate(source, finding.position.line, finding.position.column)],
            "codeFlows": [_flow(source, finding)] if finding.path else [],
        }
        for finding in findings
    ]
    return _wrap([_describe(rule) for rule in RULES.values()], results)


def render_sarif_of_error(source: Path, error: PlanError) -> str:
    """SARIF of what the loader refuses: one result a problem."""
    results = []
    for problem in error.problems or (f"{source}:1:1: {error.summary}",):
        match = _PROBLEM.match(problem)
        line, column, text = (int(match["line"]), int(match["column"]), match["text"]) if match else (1, 1, problem)
        location = _locate(source, line, column)
        results.append({"ruleId": _FORM, "level": "error", "message": {"text": text}, "locations": [location]})
    rule = {"id": _FORM, "name": "form", "shortDescription": {"text": "The plan can be read and is a machine."}}
    return _wrap([rule], results)


def choose_exit_code(findings: Sequence[Finding]) -> int:
    """2 where the plan is refused, 0 where there is nothing to say or only warnings."""
    return PlanError.exit_code if any(finding.is_error for finding in findings) else 0


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _to_json(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule.id,
        "name": finding.rule.name,
        "level": finding.rule.level.value,
        "what": finding.problem,
        "why": finding.rule.why,
        "mend": finding.remedy,
        "line": finding.position.line,
        "column": finding.position.column,
        "at": ".".join(str(key) for key in finding.key_path),
        "path": [step._asdict() for step in finding.path],
        "moment": finding.moment,
    }


def _describe(rule: Rule) -> dict[str, Any]:
    level = "error" if rule.level is Level.ERROR else "warning"
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.why},
        "defaultConfiguration": {"level": level},
    }


def _locate(source: Path, line: int, column: int) -> dict[str, Any]:
    region = {"startLine": line, "startColumn": column}
    return {"physicalLocation": {"artifactLocation": {"uri": source.as_posix()}, "region": region}}


def _flow(source: Path, finding: Finding) -> dict[str, Any]:
    place = _locate(source, finding.position.line, finding.position.column)
    steps = [*format_path(finding.path), *([finding.moment] if finding.moment else [])]
    locations = [{"location": {**place, "message": {"text": step}}} for step in steps]
    return {"threadFlows": [{"locations": locations}]}


def _wrap(rules: list[dict[str, Any]], results: list[dict[str, Any]]) -> str:
    driver = {"name": "orchestrator lint", "rules": rules}
    document = {"$schema": _SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return json.dumps(document, indent=2, ensure_ascii=False)
