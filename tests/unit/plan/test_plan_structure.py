"""The rules for a plan as a graph."""

import pytest

from orchestrator.plan.structure import longest_path_s
from tests.unit.plan.kinds import HEAD, machine_problems, parse

ENDS = "  good: {end: committed}\n  bad: {end: refused}\n"


def test_a_state_that_nothing_leads_to_is_refused() -> None:
    states = (
        "  a: {kind: pull, then: {done: good, failed: bad}}\n  b: {kind: pull, then: {done: good, failed: bad}}\n"
        + ENDS
    )
    (problem,) = machine_problems(states)
    assert problem == "10:3: states.b: nothing leads here from `a`; let an outcome lead here or remove it (G1)"


def test_an_end_that_nothing_leads_to_is_refused() -> None:
    (problem,) = machine_problems("  a: {kind: pull, then: {done: good, failed: good}}\n" + ENDS)
    assert "states.bad: nothing leads here" in problem


def test_states_without_a_way_to_an_end_are_refused() -> None:
    states = (
        "  a: {kind: pull, then: {done: good, failed: b}}\n  b: {kind: pull, then: {done: c, failed: c}}\n"
        "  c: {kind: pull, then: {done: b, failed: b}}\n  good: {end: committed}\n"
    )
    problems = machine_problems(states)
    assert [problem.split(": ")[1] for problem in problems if "no end can be reached" in problem] == [
        "states.b",
        "states.c",
    ]
    assert any("`b` → `c` → `b` could go round for ever" in problem and "(G7)" in problem for problem in problems)


def test_a_machine_without_an_end_is_refused() -> None:
    assert any("(G11)" in problem for problem in machine_problems("  a: {kind: pull, then: {done: a, failed: a}}\n"))


def test_a_retry_without_a_bound_is_refused() -> None:
    (problem,) = machine_problems("  a: {kind: pull, then: {done: good, failed: a, timeout: bad}}\n" + ENDS)
    assert "`a` → `a` could go round for ever" in problem
    assert "(G7)" in problem


def test_a_retry_with_a_bound_is_a_plan() -> None:
    plan = parse(
        f"{HEAD}initial: a\nstates:\n"
        "  a: {kind: pull, attempts: 3, timeout: 10s, then: {done: good, failed: w, exhausted: bad}}\n"
        "  w: {kind: wait, timeout: 1s, then: {done: a, timeout: a}}\n" + ENDS
    )
    assert plan.states["a"].attempts == 3
    assert longest_path_s(plan) == 3 * 10 + 4 * 1


def test_attempts_without_an_exhausted_exit_are_refused() -> None:
    (problem,) = machine_problems("  a: {kind: pull, attempts: 3, then: {done: good, failed: bad}}\n" + ENDS)
    assert "`attempts` needs `exhausted: …`" in problem


def test_an_exhausted_exit_without_attempts_is_refused() -> None:
    (problem,) = machine_problems("  a: {kind: pull, then: {done: good, failed: bad, exhausted: bad}}\n" + ENDS)
    assert "`exhausted` needs `attempts: N`" in problem


def test_an_exhausted_exit_that_leads_round_again_is_refused() -> None:
    states = (
        "  a: {kind: pull, attempts: 2, then: {done: good, failed: w, exhausted: w}}\n"
        "  w: {kind: wait, then: {done: a, timeout: bad}}\n" + ENDS
    )
    (problem,) = machine_problems(states)
    assert "`a` → `w` → `a` could go round for ever" in problem


@pytest.mark.parametrize("outcome", ["timeout", "interrupted"])
def test_a_cycle_through_a_common_outcome_is_a_cycle(outcome: str) -> None:
    (problem,) = machine_problems(f"  a: {{kind: pull, then: {{done: good, failed: bad, {outcome}: a}}}}\n" + ENDS)
    assert "(G7)" in problem


def test_a_kind_without_failed_must_say_where_timeout_goes() -> None:
    (problem,) = machine_problems("  a: {kind: wait, then: {done: good}}\n  good: {end: committed}\n")
    assert "`wait` has no `failed` that `timeout` could follow" in problem


def test_the_longest_path_is_the_worst_sum_of_deadlines() -> None:
    plan = parse(
        f"{HEAD}initial: a\nstates:\n"
        "  a: {kind: pull, timeout: 1s, then: {done: b, failed: c}}\n"
        "  b: {kind: pull, timeout: 2s, then: {done: good, failed: c}}\n"
        "  c: {kind: pull, timeout: 4s, then: {done: bad, failed: bad}}\n" + ENDS
    )
    assert longest_path_s(plan) == 7
    assert longest_path_s(plan, "c") == 4
    assert longest_path_s(plan, "good") == 0
