"""Every rule bites: a plan with one mistake is refused, and for that mistake."""

from __future__ import annotations

import pytest

from orchestrator.checker.rules import RULES, Level
from tests.unit.checker.mutants import MORE, ONLY
from tests.unit.checker.plans import build_plan, find_errors

pytestmark = pytest.mark.slow

ERRORS = {number for number, rule in RULES.items() if rule.level is Level.ERROR}


def test_every_rule_that_refuses_has_a_plan_that_only_it_refuses() -> None:
    assert set(ONLY) == ERRORS
    assert len(ONLY) + len(MORE) >= 40


@pytest.mark.parametrize("rule", ONLY)
def test_mutant_is_refused_by_its_rule_alone(rule: str) -> None:
    plan = build_plan(ONLY[rule])
    assert find_errors(plan) == {rule}
    assert find_errors(plan, without=rule) == set()


@pytest.mark.parametrize("name", MORE)
def test_mistake_is_refused_by_its_own_rule(name: str) -> None:
    rule, changes = MORE[name]
    assert rule in find_errors(build_plan(changes))
