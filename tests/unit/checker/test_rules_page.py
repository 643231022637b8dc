"""The page of the rules: its examples are the test cases, and it says of each rule what the checker says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.checker.rules import RULES, Level
from orchestrator.plan.load import read_tree
from orchestrator.plan.tree import Json, Problems
from tests.unit.checker.plans import build_plan, find_errors, find_rules

PAGE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
SECTION = re.compile(
    r"^### (?P<id>\w+) (?P<name>[\w-]+)\n\n(?P<words>.*?)\n\n```yaml\n(?P<example>.*?)\n```$", re.MULTILINE | re.DOTALL
)
SECTIONS = {match["id"]: match for match in SECTION.finditer(PAGE)}
PLAN_KEYS = {"maintenance_window"}


def read_example(rule: str) -> dict[str, Json]:
    problems = Problems()
    example = read_tree(SECTIONS[rule]["example"], Path("docs/rules.md"), problems).to_json()
    assert not problems.found
    assert isinstance(example, dict)
    return example


def test_the_page_tells_of_each_rule_and_of_no_other() -> None:
    assert list(SECTIONS) == list(RULES)
    for number, rule in RULES.items():
        assert SECTIONS[number]["name"] == rule.name
        assert SECTIONS[number]["words"].startswith(rule.why)


@pytest.mark.parametrize("rule", RULES)
def test_the_example_breaks_its_rule_and_no_other_that_refuses(rule: str) -> None:
    example = read_example(rule)
    more = "".join(f"{key}: {example.pop(key)}\n" for key in PLAN_KEYS & example.keys())
    plan = build_plan(example, more=more)
    assert rule in find_rules(plan)
    assert find_errors(plan) == ({rule} if RULES[rule].level is Level.ERROR else set())
