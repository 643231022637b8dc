"""Check the journal alone: no way past a compensation, bounds, and the same decisions when it is replayed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from orchestrator.core.facts import Committed
from orchestrator.core.state_kind import CrashRule
from orchestrator.journal.journal import Record
from orchestrator.machine.machine import Machine
from orchestrator.machine.resume import ATTEMPTS_AT_MOST, RESUMPTIONS_AT_MOST, How, Mode, ResumeAction, choose_action
from tests.faults.invariants.evidence import Evidence

TRANSITIONS_AT_MOST = 64
_MAY_WRITE = frozenset({CrashRule.RESTORE, CrashRule.JUDGE})


def x7_no_leaving_dirty(case: Evidence) -> Iterator[str]:
    """A state that may have written is left through commit or restore alone, or its operator is called."""
    dirty = ""
    for record in case.records:
        rule = _rule(case, record)
        if record.record == "prepared" and rule in _MAY_WRITE:
            dirty = dirty or record.state
        elif _is_clean(case, record):
            dirty = ""
        elif record.record == "prepared" and rule is CrashRule.REPEAT and dirty and not _brings_data_back(case, record):
            yield f"{record.state} was begun on what {dirty} may have written"
    if dirty and case.safe:
        yield f"the run ended as {case.run.verdict} with what {dirty} may have written"


def x10_bounded(case: Evidence) -> Iterator[str]:
    """Transitions, attempts and resumptions have an upper bound, each state its own deadline, whatever went before."""
    left = sum(record.record == "left" for record in case.records)
    if left > TRANSITIONS_AT_MOST:
        yield f"{left} transitions"
    attempts = Counter(record.state for record in case.records if record.record == "entered")
    yield from (f"{state} was begun {times} times" for state, times in attempts.items() if times > ATTEMPTS_AT_MOST)
    resumed = sum(record.record == "resumed" for record in case.records)
    if resumed > RESUMPTIONS_AT_MOST + 1:  # the last one gives up
        yield f"it was taken up {resumed} times"
    for record in case.records:
        if record.record == "entered" and record.payload["deadline_s"] != case.plan.states[record.state].timeout_s:
            yield f"{record.state} was given {record.payload['deadline_s']} s instead of its own time"
        if record.record == "left" and record.payload["seconds"] > case.plan.states[record.state].timeout_s + 60:
            yield f"{record.state} took {record.payload['seconds']} s"


def x16_replay(case: Evidence) -> Iterator[str]:
    """The journal alone gives the same decisions again: moves taken, states entered, and one move at any prefix.

    That a newer version decides the same cannot be seen here, with one version at hand; the records make the trip
    through JSON as they would for it.
    """
    machine: Machine | None = None
    for number, record in enumerate(case.records):
        before = case.records[:number]
        if record.record == "resumed":
            machine = None
            yield from _find_other_move(case, record, before)
        elif record.record == "entered":
            machine = machine or Machine(case.plan, at=record.state)
            if machine.state != record.state:
                yield f"{record.state} was entered where the machine was in {machine.state}"
        elif record.record == "left":
            machine = Machine(case.plan, at=record.state)
            machine.move(str(record.payload["outcome"]))
            if machine.state != record.payload["to"]:
                yield f"{record.state} was left for {record.payload['to']}, not for {machine.state}"
    travelled = tuple(replace(record, payload=json.loads(json.dumps(record.payload))) for record in case.records)
    for number in range(len(case.records) + 1):
        yield from _find_other_decision(case, case.records[:number], travelled[:number])


def _rule(case: Evidence, record: Record) -> CrashRule | None:
    return case.kind_of(record.state).crash_rule if record.state in case.plan.states else None


def _is_clean(case: Evidence, record: Record) -> bool:
    """Behind the pivot, or with the data back."""
    if record.record == "prepared":
        return Committed.fact in record.payload["facts"]
    return record.record == "left" and record.payload["outcome"] == "done" and _brings_data_back(case, record)


def _brings_data_back(case: Evidence, record: Record) -> bool:
    return record.state in case.plan.states and case.plan.states[record.state].kind == "restore"


def _find_other_move(case: Evidence, record: Record, before: tuple[Record, ...]) -> Iterator[str]:
    move = choose_action(case.plan, case.kinds, before, Mode(record.payload["mode"]))
    if (move.how, move.state) != (How(record.payload["how"]), record.state):
        yield f"it was resumed with {record.payload['how']} in {record.state}, now it is {move.how} in {move.state}"


def _find_other_decision(case: Evidence, prefix: tuple[Record, ...], travelled: tuple[Record, ...]) -> Iterator[str]:
    for mode in Mode:
        move: ResumeAction = choose_action(case.plan, case.kinds, prefix, mode)
        if choose_action(case.plan, case.kinds, travelled, mode) != move:
            yield f"behind {len(prefix)} records {mode} is not always {move}"
