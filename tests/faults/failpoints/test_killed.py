"""A real process is killed by SIGKILL at every point of every story, and `recover` finds its way from each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.failpoints.cases import Case, judge_killed, list_cases, tell_broken
from tests.faults.failpoints.children import Family
from tests.faults.failpoints.scenes import STORIES, Scene
from tests.faults.failpoints.workers import in_parallel

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]


@pytest.mark.parametrize("story", STORIES)
def test_killed_at_any_point_one_command_brings_it_to_a_good_end(story: str, tmp_path: Path) -> None:
    cases = list_cases(Scene(tmp_path / "listed", STORIES[story]), story)
    assert len({case.point for case in cases}) > 100
    found = in_parallel(cases, lambda number: Family(Scene(tmp_path / str(number), STORIES[story])), judge_killed)
    assert len(found) == len(cases)
    assert tell_broken(found) == ""


def test_a_child_really_dies_by_a_signal_with_its_last_record_in_the_log(tmp_path: Path) -> None:
    family = Family(Scene(tmp_path, STORIES["good"]))
    family.begin()
    death = family.run(die_at="journal.prepared.after#3")
    assert death.exit_code is None
    assert family.scene.log.stat().st_size > 0


def test_a_case_that_goes_wrong_is_told_with_the_command_that_repeats_it() -> None:
    case = Case("health fails", "workloads.write_pin.after", "half", "database.swap.before")
    told = tell_broken([(case, ["X1 served by one: nobody serves"]), (Case("good", "journal.end.after"), [])])
    assert told.splitlines() == [
        "1 of 2 cases:",
        "python -m tests.faults.failpoints 'health fails' workloads.write_pin.after --tear half"
        " --second database.swap.before",
        "  X1 served by one: nobody serves",
    ]
