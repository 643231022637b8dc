"""From every prefix of a journal the next move is a safe one: what the world may be by then decides, not the story."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.core.model.verdict import Verdict
from orchestrator.journal.journal import Journal, Record
from orchestrator.machine.resume import How, Mode, ResumeAction, choose_action
from orchestrator.plan.schema import Plan
from states.registry import KINDS
from tests.tools.bench import WITHOUT_REHEARSAL, Bench

ENDS_UNTOUCHED = {"refused", "unchanged"}
BEFORE_THE_STOP = {"check", "preflight", "confirm", "prefetch", "backup", "rehearse", "stop"}
APP_DOWN = {
    "stop",
    "pull",
    "migrate",
    "restore",
    "rollback",
    "rolled_back",
    "stranded",
}  # a restore sees what was written
MAYBE_WRITTEN = {"start", "health", "commit", "restore", "stranded"}
DATA_IS_BACK = {"rollback", "rolled_back", "stranded"}
COMMITTED = {"commit", "cleanup", "upgraded", "stranded"}
STORIES = {"committed": "v1.1.0", "migration fails": "v1.2.0", "never healthy": "v1.3.0"}


def find_allowed(records: Sequence[Record]) -> set[str]:
    """States and ends that a run may be brought to, by what it may have done when its journal ends here."""
    done = {(record.record, record.state) for record in records}
    left = {(record.state, str(record.payload["outcome"])) for record in records if record.record == "left"}
    if ("prepared", "commit") in done:
        return COMMITTED
    if ("restore", "done") in left:
        return DATA_IS_BACK
    if ("prepared", "migrate") in done:
        return MAYBE_WRITTEN
    if ("entered", "migrate") in done:
        return MAYBE_WRITTEN | {"migrate"}
    if ("entered", "stop") in done:
        return APP_DOWN
    return BEFORE_THE_STOP | ENDS_UNTOUCHED


def find_destination(plan: Plan, move: ResumeAction) -> set[str]:
    """Where a move can lead."""
    if move.how is How.ABANDON:
        return {"refused"}
    if move.how is How.GIVE_UP:
        return {"stranded"}
    if move.how is How.ENTER:
        return {move.state}
    outcomes = {move.outcome, *({"done"} if move.how is How.RECONCILE else ())}
    return {plan.states[move.state].then[outcome] for outcome in outcomes}


@pytest.fixture(params=STORIES)
def story(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Plan, tuple[Record, ...]]:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    run = bench.run(STORIES[request.param]).run
    assert run.verdict is (Verdict.COMMITTED if request.param == "committed" else Verdict.ROLLED_BACK)
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        return bench.plan, journal.records(run.id)


@pytest.mark.parametrize("mode", [Mode.RESUME, Mode.RECOVER])
def test_next_move_from_any_prefix_is_safe(story: tuple[Plan, tuple[Record, ...]], mode: Mode) -> None:
    plan, records = story
    for number in range(len(records) + 1):
        prefix = records[:number]
        move = choose_action(plan, KINDS, prefix, mode)
        last = f"{prefix[-1].record} {prefix[-1].state}" if prefix else "nothing"
        assert find_destination(plan, move) <= find_allowed(prefix), f"behind {last}: {move}"


@pytest.mark.parametrize("mode", [Mode.RESUME, Mode.RECOVER])
def test_from_any_prefix_it_does_not_go_on_for_ever(story: tuple[Plan, tuple[Record, ...]], mode: Mode) -> None:
    plan, records = story
    for number in range(1, len(records) + 1):
        again = [Record(0, records[0].at, "resumed", "", {}) for _ in range(5)]
        move = choose_action(plan, KINDS, [*records[:number], *again], mode)
        assert move.how in (How.ABANDON, How.GIVE_UP) or move.state in plan.ends
