"""Cut off at any point, any story is brought to a good end by a boot and by a person, rebooted in between or not."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from orchestrator.machine.resume import Mode
from tests.faults.failpoints.cases import save_at_each_point
from tests.faults.failpoints.scenes import MORE_STORIES, STORIES, Saved, Scene
from tests.faults.failpoints.workers import in_parallel
from tests.tools.world import FakeWorld

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]


@dataclass
class CutOff:
    """A story in a folder of its own, cut off wherever another process finds something else."""

    scene: Scene
    mode: Mode
    rebooted: bool = False

    def __post_init__(self) -> None:
        saved = save_at_each_point(self.scene, self.scene.start)
        states = {one.state: one for one in saved if one.records or not self.rebooted}
        self.states = list(states.values())

    def judge(self, number: int) -> list[str]:
        saved = reboot(self.states[number]) if self.rebooted else self.states[number]
        ended = self.scene.play(self.mode, self.scene.watch(saved))
        name = saved.point.name if saved.point else ""
        broken = [f"{name}: {problem}" for problem in self.scene.find_broken(ended)]
        again = self.scene.play(self.mode, self.scene.watch(ended.saved))
        did = [step.point for step in again.saved.steps[len(ended.saved.steps) :] if step.point.touch == "effect"]
        if again.error or again.report or {point.call for point in did} != {"journal.open"}:
            broken.append(f"{name}: taken up again, it did {[point.name for point in did]}")
        return broken


def cut_off(memory: Path, story: str, mode: Mode, rebooted: bool, number: int) -> CutOff:
    return CutOff(Scene(memory / str(number), MORE_STORIES[story]), mode, rebooted)


def reboot(saved: Saved) -> Saved:
    """The host went down with the process, came up, and was used."""
    world: FakeWorld = pickle.loads(saved.world)  # noqa: S301 - our own
    neighbour = replace(world.jobs["their-job"])
    world.reboot()
    world.jobs["their-job"] = neighbour  # theirs comes back by itself
    world.clock.advance(5)
    world.users_write(2)
    return replace(saved, world=pickle.dumps(world))


def judge_all(memory: Path, story: str, mode: Mode, *, rebooted: bool = False) -> list[str]:
    make = partial(cut_off, memory, story, mode, rebooted)
    states = range(len(make(-1).states))
    assert len(states) > 50
    found = in_parallel(states, make, CutOff.judge)
    problems = [problem for _, problems in found for problem in problems]
    assert problems or len(found) == len(states)  # a worker that broke down says why
    return problems


@pytest.mark.parametrize("story", [story for story in MORE_STORIES if story not in STORIES])
def test_recovered_from_any_point_it_comes_to_a_good_end(story: str, memory: Path) -> None:
    assert judge_all(memory, story, Mode.RECOVER) == []


@pytest.mark.parametrize("story", MORE_STORIES)
def test_resumed_at_any_point_it_comes_to_a_good_end(story: str, memory: Path) -> None:
    assert judge_all(memory, story, Mode.RESUME) == []


@pytest.mark.parametrize("story", MORE_STORIES)
def test_a_host_that_reboots_in_between_changes_nothing_of_that(story: str, memory: Path) -> None:
    assert judge_all(memory, story, Mode.RECOVER, rebooted=True) == []
