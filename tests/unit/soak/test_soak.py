"""Operations and judgement of a soak, and that it would see the faults it looks for."""

from collections import Counter
from dataclasses import replace

from tests.engine.installation import leave_out
from tests.soak.evidence import Data, find_differences
from tests.soak.rounds import UNHEALTHY, Kind, Step, choose_rounds
from tests.soak.table import Ran, build_table

DATA = Data("schema", {"entries": "2 rows, ab", "schema_version": "1 rows, cd"}, 2)
GOOD = Ran(Step(Kind.UPGRADE, "1.1.0", quiet=False), "committed", 0, 2.0, ("1.0.0", "1.1.0"), 7, aside=1)


def test_twenty_rounds_hold_as_many_of_everything_as_is_promised() -> None:
    steps = [step for steps in choose_rounds(1, 20) for step in steps]
    assert Counter(step.kind for step in steps) == {
        Kind.UPGRADE: 20,
        Kind.BAD_MIGRATION: 20,
        Kind.UNHEALTHY_CLOSED: 10,
        Kind.UNHEALTHY_OPEN: 10,
        Kind.ROLLBACK: 20,
    }
    assert {step.release for step in steps} >= set(UNHEALTHY)
    assert {(step.kind, step.quiet) for step in steps} >= {(kind, False) for kind in Kind}


def test_a_seed_chooses_the_order_and_every_round_ends_at_its_start() -> None:
    rounds = list(choose_rounds(7, 8))
    assert rounds == list(choose_rounds(7, 8))
    assert rounds != list(choose_rounds(8, 8))
    assert {steps[-1].kind for steps in rounds} == {Kind.ROLLBACK}


def test_a_good_run_has_no_problem_and_each_thing_that_is_wrong_is_one() -> None:
    assert GOOD.problems == []
    for bad in (
        replace(GOOD, verdict="rolled_back", served=("1.0.0", "1.0.0")),
        replace(GOOD, served=("1.0.0", "1.0.0")),
        replace(GOOD, exit_code=30),
        replace(GOOD, missing=1),
        replace(GOOD, differences=["ledger is fenced"]),
    ):
        assert len(bad.problems) == 1, bad


def test_data_that_came_back_differently_are_named() -> None:
    assert find_differences(DATA, replace(DATA, last_id=9)) == []
    changed = replace(DATA, schema="other", tables={"entries": "1 rows, ab"})
    said = find_differences(DATA, changed)
    assert [words.split()[0] for words in said] == ["the", "entries", "schema_version"]


def test_the_table_has_a_line_for_each_kind_and_sums_up() -> None:
    lines = build_table([GOOD, replace(GOOD, unreachable_s=4.0, missing=2)]).splitlines()
    assert len(lines) == 2 + len(Kind) + 1
    assert lines[2].split() == ["good", "upgrade", "2", "0", "14", "2", "2", "2.00", "s", "3.00", "s", "4.00", "s"]
    assert lines[-1].split()[:3] == ["all", "2", "0"]


def test_a_state_that_is_left_out_is_led_past() -> None:
    states: dict[str, dict[str, object]] = {
        "backup": {"kind": "backup", "then": {"done": "rehearse", "failed": "refused"}},
        "rehearse": {"kind": "rehearse", "then": {"done": "stop", "failed": "refused"}},
        "stop": {"kind": "stop", "then": {"done": "upgraded"}},
    }
    left = leave_out({"states": states}, "rehearse")
    assert list(left) == ["backup", "stop"]
    assert left["backup"]["then"] == {"done": "stop", "failed": "refused"}
