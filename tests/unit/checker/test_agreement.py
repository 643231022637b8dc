"""Checker and engine agree: what is refused does harm in a real run on the fakes, what is not refused does none."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from tests.unit.checker.agreement import compare
from tests.unit.checker.generated import generate
from tests.unit.checker.mutants import MORE, ONLY
from tests.unit.checker.plans import build_plan

pytestmark = pytest.mark.slow

_SAMPLE, _ALL, _EACH = 300, 2000, 50
#: Broken on no single run: it is about how often a plan may go round, and takes ten of them.
_BEYOND_RUNS = {"X10"}


def find_disagreements(folder: Path, seed: int, *, count: int, tries: int) -> list[str]:
    """What is said of the plans on which they do not agree."""
    said = []
    for number, plan in enumerate(islice(generate(seed, folder / "plan"), count)):
        agreement = compare(plan, folder / "run", tries=tries, seed=number)
        said += [] if agreement.holds else [f"seed {seed}, plan {number}: {agreement}"]
    return said


@pytest.mark.parametrize("seed", range(_SAMPLE // _EACH))
def test_checker_and_engine_agree_on_generated_plans(tmp_path: Path, seed: int) -> None:
    assert find_disagreements(tmp_path, seed, count=_EACH, tries=6) == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 1000 + _ALL // _EACH))
def test_checker_and_engine_agree_on_many_generated_plans(tmp_path: Path, seed: int) -> None:
    assert find_disagreements(tmp_path, seed, count=_EACH, tries=12) == []


@pytest.mark.parametrize("rule", sorted(set(ONLY) - _BEYOND_RUNS))
def test_plan_that_a_rule_refuses_does_harm_in_a_run(tmp_path: Path, rule: str) -> None:
    agreement = compare(build_plan(ONLY[rule]), tmp_path / "run", tries=1, seed=0)
    assert agreement.holds
    assert agreement.runs <= 4


def test_refused_plan_does_harm_in_the_run_that_the_checker_shows(tmp_path: Path) -> None:
    confirmed = [compare(build_plan(changes), tmp_path / "run", tries=1, seed=0) for _, changes in MORE.values()]
    assert all(agreement.holds for agreement in confirmed)
    assert max(agreement.runs for agreement in confirmed) <= 4


def test_the_standard_plan_does_no_harm_with_faults_at_random(tmp_path: Path) -> None:
    assert compare(build_plan({}), tmp_path / "run", tries=40, seed=1).broken == ()
