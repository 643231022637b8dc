"""Killed again while it is recovered, at any point of that, a run still comes to a good end."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest

from tests.faults.failpoints.cases import (
    Case,
    judge_killed,
    judge_second_kills,
    list_pairs,
    save_at_each_point,
    tell_broken,
)
from tests.faults.failpoints.children import Family
from tests.faults.failpoints.scenes import STORIES, Saved, Scene
from tests.faults.failpoints.workers import in_parallel

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]

REAL_PAIRS = 400
REAL_PAIRS_OF_EACH_PUSH = 60


class Twice:
    """All first deaths of a story, in a folder of its own."""

    def __init__(self, folder: Path, story: str) -> None:
        self.scene = Scene(folder, STORIES[story])
        self.first: list[Saved] = save_at_each_point(self.scene, self.scene.start)

    def judge(self, number: int) -> list[str]:
        return judge_second_kills(self.scene, self.first[number])


@pytest.mark.parametrize(
    "story", [story if story == "migration fails" else pytest.param(story, marks=pytest.mark.soak) for story in STORIES]
)
def test_killed_at_any_two_points_it_comes_to_a_good_end(story: str, memory: Path) -> None:
    firsts = range(len(Twice(memory / "counted", story).first))
    assert len(firsts) > 100
    found = in_parallel(firsts, lambda number: Twice(memory / str(number), story), Twice.judge)
    assert [f"{story}, {problem}" for _, problems in found for problem in problems] == []


def choose_pairs(folder: Path, count: int) -> list[Case]:
    """The same pairs every time, of all stories alike."""
    chosen: list[Case] = []
    for number, story in enumerate(STORIES):
        pairs = list_pairs(Scene(folder / story, STORIES[story]), story)
        assert len(pairs) > 1000
        chosen += random.Random(number).sample(pairs, count // len(STORIES))
    return chosen


def make_family(folder: Path, story: str, number: int) -> Family:
    return Family(Scene(folder / str(number), STORIES[story]))


def judge_in_children(cases: list[Case], folder: Path) -> str:
    """By SIGKILL of real processes."""
    told = []
    for story in STORIES:
        own = [case for case in cases if case.story == story]
        found = in_parallel(own, partial(make_family, folder / story, story), judge_killed)
        assert len(found) == len(own)
        told.append(tell_broken(found))
    return "".join(told)


def test_two_processes_killed_one_after_the_other_leave_a_third_that_ends_it(tmp_path: Path, memory: Path) -> None:
    assert judge_in_children(choose_pairs(memory, REAL_PAIRS_OF_EACH_PUSH), tmp_path) == ""


@pytest.mark.soak
def test_so_they_do_at_four_hundred_pairs_of_points(tmp_path: Path, memory: Path) -> None:
    assert judge_in_children(choose_pairs(memory, REAL_PAIRS), tmp_path) == ""
