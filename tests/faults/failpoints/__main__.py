"""Repeat one case: python -m tests.faults.failpoints "migration fails" workloads.start_job.after --tear half."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.faults.failpoints.cases import Case, judge_killed
from tests.faults.failpoints.children import Family
from tests.faults.failpoints.scenes import MORE_STORIES, Scene


def main() -> int:
    """Kill, recover, judge; the exit code is 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.failpoints")
    parser.add_argument("story", choices=MORE_STORIES)
    parser.add_argument("point", help="such as workloads.start_job.after, or journal.prepared.before#3")
    parser.add_argument("--tear", choices=("whole", "lost", "half"), default="whole")
    parser.add_argument("--second", metavar="POINT", help="a point of the recovery, which is killed there")
    told = parser.parse_args()
    case = Case(told.story, told.point, told.tear, told.second)
    with tempfile.TemporaryDirectory() as folder:
        family = Family(Scene(Path(folder), MORE_STORIES[told.story]))
        problems = judge_killed(family, case)
        for step in family.steps():
            if step.point.touch == "effect":
                print(f"{step.process} {step.records:3} {step.point.name} {' '.join(step.point.arguments)}")
    print("\n".join(problems) or "Nothing is wrong.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
