"""Plans to be checked: the standard machine with lines of it changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from orchestrator.checker.findings import Finding, check_plan
from orchestrator.checker.rules import RULES
from orchestrator.plan.load import parse_plan
from orchestrator.plan.schema import Plan
from orchestrator.plan.standard import STANDARD_INITIAL, build_standard_states
from orchestrator.plan.tree import Json
from states.registry import KINDS
from tests.tools.bench import HEADER

#: State → the line to write instead; None takes the state out.
Changes = Mapping[str, Json]

SOURCE = Path("/srv/plans/shop.yaml")


def state(kind: str, *, options: Json = None, attempts: int | None = None, **then: str) -> Json:
    """A line of a machine."""
    line: dict[str, Json] = {"kind": kind, "then": dict(then)}
    line |= {"with": options} if options is not None else {}
    return line | ({"attempts": attempts} if attempts is not None else {})


def write_machine(changes: Changes, initial: str = STANDARD_INITIAL) -> str:
    """The standard machine with these lines changed, as a plan has it."""
    return write_machine_of(
        {name: line for name, line in (build_standard_states() | dict(changes)).items() if line is not None}, initial
    )


def write_machine_of(lines: Changes, initial: str) -> str:
    """These lines as a plan has them."""
    return f"initial: {initial}\nstates: {json.dumps(lines)}\n"


def write_plan(machine: str, *, migrate: str = "migrate: [app, migrate]", project: Path = Path("/srv/shop")) -> str:
    """A whole plan around a machine."""
    return HEADER.format(migrate=migrate, health="", project=project, backups=project / "backups") + machine


def build_plan(changes: Changes, *, migrate: str = "migrate: [app, migrate]", more: str = "") -> Plan:
    """The plan of the standard machine with these lines changed; ``more``: further keys of the plan."""
    return parse_plan(write_plan(write_machine(changes), migrate=migrate) + more, SOURCE, KINDS)


def find_rules(plan: Plan, *, without: str = "") -> set[str]:
    """Numbers of the rules that a plan breaks, and a warning's too; ``without`` one of the rules."""
    return {finding.rule.id for finding in check_plan(plan, KINDS, rules=[rule for rule in RULES if rule != without])}


def find_errors(plan: Plan, *, without: str = "") -> set[str]:
    """Numbers of the rules for which a plan is refused."""
    return {number for number in find_rules(plan, without=without) if RULES[number].level.value == "error"}


def find_one(plan: Plan, rule: str) -> Finding:
    """The finding of a rule that is broken once."""
    (found,) = [finding for finding in check_plan(plan, KINDS) if finding.rule.id == rule]
    return found


def lead(*moves: str) -> dict[str, Json]:
    """Lines of the standard machine in which ``state.outcome=target`` is written."""
    states = build_standard_states()
    changed: dict[str, Json] = {}
    for move in moves:
        place, target = move.split("=")
        name, outcome = place.split(".")
        line = changed.setdefault(name, states[name])
        assert isinstance(line, dict)
        assert isinstance(line["then"], dict)
        line["then"][outcome] = target
    return changed
