"""One case after the other: a real process killed at a point, perhaps a second one, and what is there then."""

from __future__ import annotations

import gc
import os
import pickle
import shlex
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.model import Verdict
from orchestrator.resume import Mode
from tests.failpoints.children import BROKEN, Death, Family, Tear
from tests.failpoints.points import Point
from tests.failpoints.scenes import MORE_STORIES, Saved, Scene
from tests.invariants import Things, find_broken, read_evidence

_INTERNAL = 70
_REFUSED = 10


@dataclass(frozen=True)
class Case:
    """Where a story is cut off; ``second`` is a point of the recovery."""

    story: str
    point: str
    tear: Tear = "whole"
    second: str | None = None

    @property
    def command(self) -> str:
        """What repeats it."""
        second = f" --second {self.second}" if self.second else ""
        return f"python -m tests.failpoints {shlex.quote(self.story)} {self.point} --tear {self.tear}{second}"


def list_cases(scene: Scene, story: str) -> list[Case]:
    """Every point around an effect, each whole and with a torn tail of the journal."""
    cases: list[Case] = []
    for saved in save_at_each_point(scene, scene.start):
        assert saved.point is not None
        point, name = saved.point, saved.point.name
        cases += [Case(story, name), Case(story, name, "half")]
        if point.call.startswith("journal.") and point.side == "after":
            cases.append(Case(story, name, "lost"))
    return cases


def list_pairs(scene: Scene, story: str) -> list[Case]:
    """Every point of the story with every point of the recovery from it."""
    pairs = []
    for first in save_at_each_point(scene, scene.start):
        for second in save_at_each_point(scene, first):
            assert first.point is not None
            assert second.point is not None
            pairs.append(Case(story, first.point.name, "whole", second.point.name))
    return pairs


def save_at_each_point(scene: Scene, start: Saved, mode: Mode = Mode.RECOVER) -> list[Saved]:
    """A run from the start, or else its recovery: what a SIGKILL would leave of it at each point of an effect."""
    points = scene.watch(start)
    kept: list[Saved] = []

    def keep(point: Point) -> None:
        if point.touch == "effect":
            kept.append(scene.save(points, point))

    points.at_each = keep
    scene.play("run" if start is scene.start else mode, points)
    return kept


def judge_killed(family: Family, case: Case) -> list[str]:
    """What is wrong after a process was killed, another one recovered, and a third one had nothing left to do."""
    family.begin()
    death = family.run(die_at=case.point)
    if death.exit_code is not None:
        return [f"it did not die, but ended with {death.exit_code}: {death.said[-500:]}"]
    family.tear(case.tear)
    deaths = 1
    if case.second is not None:
        deaths += family.recover(die_at=case.second).exit_code is None
    recovered, again = family.recover(), family.recover()
    for ended in (recovered, again):
        if ended.exit_code in (None, BROKEN, _INTERNAL):
            return [f"recover ended with {ended.exit_code}: {ended.said[-1500:]}"]
    problems = _judge_end(family, recovered, deaths)
    if (again.exit_code, again.document.get("run", "a run")) != (0, None):
        problems.append(f"a second recover ended with {again.exit_code}: {again.said[-300:]}")
    if recovered.document.get("verdict") == Verdict.ROLLED_BACK and case.tear == "whole" and not case.second:
        problems += _judge_retry(family)
    return problems


def judge_in_parallel(folder: Path, cases: Sequence[Case], workers: int = 2) -> dict[Case, list[str]]:
    """What is wrong with each of these cases of one story; an empty list where nothing is."""
    children = [_start_worker(folder / str(number), cases[number::workers]) for number in range(workers)]
    found: dict[Case, list[str]] = {}
    for number, child in enumerate(children):
        os.waitpid(child, 0)
        found.update(pickle.loads((folder / str(number) / "found").read_bytes()))  # noqa: S301 - our own child's
    return found


def tell_broken(found: dict[Case, list[str]]) -> str:
    """Each case with something wrong: what, and the command that repeats it."""
    broken = {case: problems for case, problems in found.items() if problems}
    told = ["\n  ".join([case.command, *problems]) for case, problems in broken.items()]
    return f"{len(broken)} of {len(found)} cases:\n" + "\n".join(told) if broken else ""


def _judge_end(family: Family, recovered: Death, deaths: int) -> list[str]:
    outside, scene = family.outside(), family.scene
    nothing = recovered.document.get("run", "a run") is None
    if nothing and not outside.records:
        same = Things.of(outside.world) == scene.before
        return [] if same else ["nothing was recorded, and the world is another one"]
    evidence = read_evidence(
        scene.plan,
        scene.before,
        outside.world,
        family.steps(),
        ended_in=deaths - 1 if nothing else deaths,
        exit_code=None if nothing else recovered.exit_code,
        document={} if nothing else recovered.document,
    )
    return find_broken(evidence)


def _judge_retry(family: Family) -> list[str]:
    before = Things.of(family.outside().world)
    retried = family.run()
    if retried.exit_code != _REFUSED or "could not stay on" not in str(retried.document.get("reason")):
        return [f"the same release again ended with {retried.exit_code}: {retried.said[-300:]}"]
    return [] if Things.of(family.outside().world) == before else ["the same release was refused, but not at once"]


def _start_worker(folder: Path, cases: Sequence[Case]) -> int:
    worker = os.fork()
    if worker:
        return worker
    found: dict[Case, list[str]] = {}
    gc.freeze()  # what is there stays; its children copy none of it
    try:
        family = Family(Scene(folder, MORE_STORIES[cases[0].story]))
        for case in cases:
            found[case] = ["it was not tried to its end"]
            found[case] = judge_killed(family, case)
    except BaseException:  # noqa: BLE001 - it must be told in the parent, and must not go on in its tests
        found[cases[0]] = [traceback.format_exc()]
    finally:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "found").write_bytes(pickle.dumps(found))
        os._exit(0)
