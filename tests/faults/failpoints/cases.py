"""One case after the other: a real process killed at a point, perhaps a second one, and what is there then."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from orchestrator.core.model.verdict import Verdict
from orchestrator.core.owners import Owner
from orchestrator.machine.resume import Mode
from tests.faults.failpoints.children import BROKEN, Death, Family, Tear
from tests.faults.failpoints.points import Point
from tests.faults.failpoints.scenes import Saved, Scene
from tests.faults.failpoints.workers import Found
from tests.faults.invariants import Things, find_broken, read_evidence

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
        return f"python -m tests.faults.failpoints {shlex.quote(self.story)} {self.point} --tear {self.tear}{second}"


def list_cases(scene: Scene, story: str) -> list[Case]:
    """Every point around an effect."""
    cases: list[Case] = []
    for saved in save_at_each_point(scene, scene.start):
        name = _name(saved)
        cases.append(Case(story, name))
    return cases


def list_pairs(scene: Scene, story: str) -> list[Case]:
    """Every point of the story with every point of the recovery from it."""
    pairs = []
    for first in save_at_each_point(scene, scene.start):
        seconds = save_at_each_point(scene, first)
        pairs += [Case(story, _name(first), "whole", _name(second)) for second in seconds]
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


def judge_second_kills(scene: Scene, first: Saved) -> list[str]:
    """What is wrong after a second kill, at each point of the recovery from the first, all in this process.

    Points between which nothing happens leave one and the same state; it is judged once.
    """
    problems: list[str] = []
    judged = set()
    for second in save_at_each_point(scene, first):
        if second.state in judged:
            continue
        judged.add(second.state)
        broken = scene.find_broken(scene.play(Mode.RECOVER, scene.watch(second)))
        problems += [f"{_name(first)}, then {_name(second)}: {problem}" for problem in broken]
    return problems


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
        problems += _judge_retry(family, recovered)
    return problems


def tell_broken(found: Found[Case]) -> str:
    """Each case with something wrong: what, and the command that repeats it."""
    broken = [(case, problems) for case, problems in found if problems]
    told = ["\n  ".join([case.command, *problems]) for case, problems in broken]
    return f"{len(broken)} of {len(found)} cases:\n" + "\n".join(told) if broken else ""


def _name(saved: Saved) -> str:
    return saved.point.name if saved.point else "the start"


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


def _judge_retry(family: Family, recovered: Death) -> list[str]:
    before = Things.of(family.outside().world)
    failure = recovered.document.get("failure")
    if not isinstance(failure, dict) or failure.get("owner") != Owner.RELEASE:
        return []  # what is not its own is held against no release
    retried = family.run()
    if retried.exit_code != _REFUSED or "could not stay on" not in str(retried.document.get("reason")):
        return [f"the same release again ended with {retried.exit_code}: {retried.said[-300:]}"]
    return [] if Things.of(family.outside().world) == before else ["the same release was refused, but not at once"]
