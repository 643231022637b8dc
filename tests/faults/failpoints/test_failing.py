"""Each call of a run fails once, for good, or only in its answer: it ends as it may end, and loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.model.verdict import Verdict
from tests.faults.failpoints.failing import Failure, fail, list_failures
from tests.faults.failpoints.scenes import STORIES, Scene
from tests.faults.failpoints.workers import in_parallel

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]


def judge(scene: Scene, failure: Failure) -> list[str]:
    ended = fail(scene, failure)
    problems = scene.find_broken(ended)
    report = ended.report
    if not failure.always and report is not None and report.run.verdict is Verdict.NEEDS_OPERATOR:
        problems.append(f"one failure is enough to need an operator: {report.states[-1].reason}")
    return problems


@pytest.mark.parametrize(
    "story", [story if story == "migration fails" else pytest.param(story, marks=pytest.mark.soak) for story in STORIES]
)
def test_a_run_in_which_any_call_fails_comes_to_a_good_end(story: str, tmp_path: Path, memory: Path) -> None:
    failures = list_failures(Scene(tmp_path, STORIES[story]))
    assert len(failures) > 250
    assert len({failure.call for failure in failures}) > 40
    found = in_parallel(failures, lambda number: Scene(memory / f"{story} {number}", STORIES[story]), judge)
    assert [f"{story}, {failure}: {problems}" for failure, problems in found if problems] == []
