"""Invariants of every run, however often it was cut off: X1 to X16, each a function from evidence to violations.

A function yields one sentence for each thing that is not so; a case is good when none yields anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tests.faults.invariants import course, ends, records, serving
from tests.faults.invariants.evidence import Evidence, Things, read_evidence

__all__ = ["INVARIANTS", "Evidence", "Things", "check", "find_broken", "read_evidence"]

INVARIANTS: Mapping[str, Callable[[Evidence], Iterator[str]]] = {
    "X1 served by one": serving.x1_served_by_one,
    "X2 no lost write": serving.x2_no_lost_write,
    "X3 schema matches version": serving.x3_schema_matches_version,
    "X4 one writer": serving.x4_one_writer,
    "X5 backup before write": course.x5_backup_before_write,
    "X6 way back is local": course.x6_way_back_is_local,
    "X7 no leaving dirty": records.x7_no_leaving_dirty,
    "X8 log before effect": course.x8_log_before_effect,
    "X9 converges": ends.x9_converges,
    "X10 bounded": records.x10_bounded,
    "X11 same inputs": course.x11_same_inputs,
    "X12 ours only": ends.x12_ours_only,
    "X13 honest end": ends.x13_honest_end,
    "X14 rollback is durable": ends.x14_rollback_is_durable,
    "X15 nothing left": ends.x15_nothing_left,
    "X16 replay": records.x16_replay,
}


def find_broken(case: Evidence) -> list[str]:
    """Every sentence, behind the name of its invariant."""
    return [f"{name}: {problem}" for name, judge in INVARIANTS.items() for problem in judge(case)]


def check(case: Evidence, where: str) -> None:
    """Fail with all that is broken; ``where`` tells the case."""
    broken = find_broken(case)
    said = "\n  ".join(broken)
    assert not broken, f"{where}: {case.run.verdict} ({case.run.reason})\n  {said}"
