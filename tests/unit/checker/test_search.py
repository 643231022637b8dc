"""The search itself: a kind that nobody knows is judged by what it declares, and cut-off runs go on as they would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from orchestrator.checker.findings import check_plan
from orchestrator.checker.search import Search
from orchestrator.core.kind_model import Capability, Effects, PlanTraits, Step
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.state_kind import CrashRule, Options, Result, StateContext, StateKind
from orchestrator.plan.load import parse_plan
from orchestrator.plan.schema import Plan
from states.registry import KINDS
from tests.unit.checker.mutants import command
from tests.unit.checker.plans import SOURCE, build_plan, find_errors, find_rules, lead, state, write_machine, write_plan


class Sweep(StateKind[Options]):
    """A kind that was made up: it vacuums the database, and needs a snapshot for that."""

    kind = "sweep"
    summary = "Vacuum the database."
    scope = EffectScope.DATABASE
    crash_rule = CrashRule.RESTORE

    @classmethod
    def effects(cls, options: Options, traits: PlanTraits) -> Effects:
        return Effects(needs=(Capability.SNAPSHOT,), steps=(Step.WRITE_DATABASE,))

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        return ("vacuum the database",)

    def perform(self, ctx: StateContext[Options]) -> Result:
        return Result("done")


MADE_UP: Mapping[str, type[StateKind[Any]]] = {**KINDS, "sweep": Sweep}


def put_sweep_behind(before: str, failed: str) -> Plan:
    target = {"migrate": "start", "backup": "rehearse", "commit": "cleanup"}[before]
    changes = {**lead(f"{before}.done=sweep"), "sweep": state("sweep", done=target, failed=failed)}
    return parse_plan(write_plan(write_machine(changes)), SOURCE, MADE_UP)


def find(plan: Plan) -> set[str]:
    return {finding.rule.id for finding in check_plan(plan, MADE_UP) if finding.is_error}


def test_invented_kind_is_checked_by_its_declaration() -> None:
    assert find(put_sweep_behind("migrate", "restore")) == set()
    assert find(put_sweep_behind("migrate", "rollback")) == {"X3"}
    assert find(put_sweep_behind("backup", "refused")) == {"F1"}
    assert find(put_sweep_behind("commit", "upgraded")) == {"G3"}


@pytest.mark.parametrize(
    ("changes", "failed", "errors"),
    [
        ("nothing", "rollback", set()),
        ("app", "rollback", {"X4"}),
        ("database", "restore", {"F1"}),
        ("database", "rollback", {"F1", "X3"}),
    ],
)
def test_operator_step_is_checked_by_its_declared_changes(changes: str, failed: str, errors: set[str]) -> None:
    plan = build_plan({**lead("pull.done=step"), "step": command(changes, done="migrate", failed=failed)})
    assert find_errors(plan) == errors


def test_a_run_that_is_cut_off_goes_on_as_the_plan_says() -> None:
    assert find_errors(build_plan(lead("migrate.interrupted=restore"))) == set()
    assert find_errors(build_plan(lead("migrate.interrupted=rollback"))) == {"X3"}


def test_cut_off_is_reported_with_the_next_move() -> None:
    (finding,) = check_plan(build_plan(lead("migrate.interrupted=rollback")), KINDS)
    assert finding.path[-1].event in {"killed in migrate; resume", "killed in migrate; recover"}
    assert finding.key_path == ("states", "migrate", "then", "interrupted")


def test_an_app_without_a_database_needs_no_backup_and_no_copy() -> None:
    machine = """\
initial: pull
states:
  pull: {kind: pull, then: {done: stop, failed: refused}}
  stop: {kind: stop, with: {snapshot: false}, then: {done: start, failed: rollback}}
  start: {kind: start, then: {done: health, failed: rollback}}
  health: {kind: health, then: {done: upgraded, failed: rollback}}
  rollback: {kind: rollback, then: {done: rolled_back, failed: stranded}}
  refused: {end: refused}
  upgraded: {end: committed}
  rolled_back: {end: rolled_back}
  stranded: {end: needs_operator}
"""
    text = write_plan(machine).replace("database: {service: db}\n", "")
    assert find_rules(parse_plan(text, SOURCE, KINDS)) == set()


def test_a_plan_of_which_no_state_changes_the_app_can_be_judged() -> None:
    machine = """\
initial: check
states:
  check: {kind: check, then: {newer: backup, current: unchanged, failed: refused}}
  backup: {kind: backup, then: {done: refused, failed: refused}}
  unchanged: {end: up_to_date}
  refused: {end: refused}
"""
    assert find_rules(parse_plan(write_plan(machine), SOURCE, KINDS)) == set()


def test_an_app_that_migrates_as_it_starts_needs_no_migration_but_a_way_back_from_its_start() -> None:
    without: dict[str, Any] = {**lead("pull.done=start"), "migrate": None}
    assert find_errors(build_plan(without, migrate="")) == set()
    assert find_errors(build_plan(without)) == {"X3"}
    assert find_errors(build_plan({**without, **lead("start.failed=rollback")}, migrate="")) == {"X3"}


def test_a_step_that_changes_nothing_may_be_on_the_way_back_but_nothing_forward_behind_it() -> None:
    tell = command("nothing", done="rollback", failed="rollback")
    assert find_errors(build_plan({**lead("restore.done=tell"), "tell": tell})) == set()
    forward = command("nothing", done="start", failed="rollback")
    again = state(
        "start", attempts=2, options={"gate": "closed"}, done="health", failed="restore", exhausted="stranded"
    )
    assert "G6" in find_errors(build_plan({**lead("restore.done=tell"), "tell": forward, "start": again}))


def test_a_bounded_retry_is_lawful() -> None:
    again = state("health", attempts=3, done="commit", failed="start", exhausted="restore")
    assert find_errors(build_plan({"health": again})) == set()


def test_the_number_of_places_grows_with_the_states_and_not_faster() -> None:
    def count(steps: int) -> int:
        lines: dict[str, Any] = lead("pull.done=step0")
        for number in range(steps):
            onward = f"step{number + 1}" if number + 1 < steps else "migrate"
            lines[f"step{number}"] = command("nothing", done=onward, failed="rollback")
        search = Search(build_plan(lines), KINDS, frozenset())
        search.explore()
        return len(search._parents)

    assert count(80) - count(40) <= 1.05 * (count(40) - count(20)) * 2
