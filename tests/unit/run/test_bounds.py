"""Every run comes to an end: tries, transitions, re-entries and waits are bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.errors import CommandError
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.state_kind import Result, StateContext, StateKind
from orchestrator.journal.journal import Journal, Record
from orchestrator.machine.resume import (
    ATTEMPTS_AT_MOST,
    RESUMPTIONS_AT_MOST,
    How,
    Mode,
    choose_action,
    limit_transitions,
)
from orchestrator.run.recovery import Takeover
from states.registry import KINDS
from tests.tools.bench import BACK, FORWARD, WITHOUT_REHEARSAL, Bench, serving_version
from tests.tools.build import make_ports
from tests.tools.script import Killed

pytestmark = pytest.mark.slow

Perform = Callable[[StateContext[Any]], Result]

JUMPS_S = {
    "a second back": -1.0,
    "an hour back": -3600.0,
    "ten years back": -3e8,
    "an hour on": 3600.0,
    "years on": 3e8,
}


def put_in(bench: Bench, state: str, perform: Perform) -> Mapping[str, type[StateKind[Any]]]:
    """Let a state of the plan do something else."""
    spec = bench.plan.states[state]
    kind = type(
        spec.kind, (KINDS[spec.kind],), {"perform": lambda self, ctx: perform(ctx), "kind": f"other_{spec.kind}"}
    )
    kinds = {**KINDS, f"other_{spec.kind}": kind}
    states = {**bench.plan.states, state: replace(spec, kind=f"other_{spec.kind}")}
    bench.plan = replace(bench.plan, states=states)
    bench.service = replace(bench.service, plan=bench.plan, kinds=kinds)
    return kinds


def fail(ctx: StateContext[Any]) -> Result:
    raise CommandError("command.failed", f"{ctx.state} never works.")


def hang(ctx: StateContext[Any]) -> Result:
    while True:
        ctx.deadline.pause(600)


def die(ctx: StateContext[Any]) -> Result:
    raise Killed


def version_for(state: str) -> str:
    return "v1.2.0" if state in BACK else "v1.1.0"


def read_records(bench: Bench) -> tuple[Record, ...]:
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        (run,) = journal.runs()
        return journal.records(run.id)


def check_bounds(bench: Bench) -> None:
    records = read_records(bench)
    entered = Counter(record.state for record in records if record.record == "entered")
    assert max(entered.values()) <= ATTEMPTS_AT_MOST
    assert sum(record.record == "left" for record in records) <= limit_transitions(bench.plan)
    assert sum(record.record == "resumed" for record in records) <= RESUMPTIONS_AT_MOST + 1
    assert bench.world.lost() == []


@pytest.mark.parametrize("state", [*FORWARD, *BACK])
@pytest.mark.parametrize("trouble", [fail, hang])
def test_a_state_that_fails_or_hangs_for_ever_is_over_once(tmp_path: Path, state: str, trouble: Perform) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.users_write(3)
    put_in(bench, state, trouble)
    report = bench.run(version_for(state))
    assert report.run.verdict is not None
    if report.run.verdict is not Verdict.NEEDS_OPERATOR:
        assert serving_version(bench.world) in {"v1.0.0", "v1.1.0"}
    check_bounds(bench)
    assert bench.world.clock.monotonic() <= sum(spec.timeout_s for spec in bench.plan.states.values())


@pytest.mark.parametrize("mode", [Mode.RESUME, Mode.RECOVER])
@pytest.mark.parametrize("state", [*FORWARD, *BACK])
def test_a_host_that_reboots_for_ever_in_one_state_comes_to_an_end(tmp_path: Path, state: str, mode: Mode) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.users_write(3)
    kinds = put_in(bench, state, die)
    with pytest.raises(Killed):
        bench.run(version_for(state))
    for _ in range(RESUMPTIONS_AT_MOST + 1):
        bench.world.reboot()
        try:
            way = Takeover(bench.plan, kinds, make_ports(bench.world))
            report = way.take_up(mode, announce=lambda *_: None, listener=bench.recorder)
        except Killed:
            continue
        break
    else:
        pytest.fail("it went on for ever")
    assert report is not None
    check_bounds(bench)


def test_going_back_has_deadlines_of_its_own(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    put_in(bench, "migrate", hang)
    left: dict[str, float] = {}
    for state in BACK:
        own = KINDS[state]

        def measure(ctx: StateContext[Any], own: type[StateKind[Any]] = own) -> Result:
            left[ctx.state] = ctx.deadline.remaining_s()
            return own().perform(ctx)

        kinds = bench.service.kinds
        put_in(bench, state, measure)
        bench.service = replace(bench.service, kinds={**kinds, **bench.service.kinds})
    assert bench.run("v1.1.0").run.verdict is Verdict.ROLLED_BACK
    assert left == {state: bench.plan.states[state].timeout_s for state in BACK}


def test_transitions_are_counted_over_all_that_a_run_was_taken_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.run("v1.2.0")
    records = read_records(bench)[:-1]
    left = next(record for record in records if record.record == "left")
    many = [*records, *[left] * limit_transitions(bench.plan), records[-1]]
    assert choose_action(bench.plan, KINDS, many, Mode.RECOVER).how is How.GIVE_UP


@pytest.mark.parametrize("jump", JUMPS_S)
@pytest.mark.parametrize("state", [*FORWARD, *BACK])
def test_a_clock_that_is_set_in_any_state_changes_nothing(tmp_path: Path, state: str, jump: str) -> None:
    ends = []
    for name, seconds in (("plain", 0.0), ("set", JUMPS_S[jump])):
        (tmp_path / name).mkdir()
        bench = Bench(tmp_path / name, WITHOUT_REHEARSAL)
        bench.world.users_write(3)
        own, set_by = KINDS[bench.plan.states[state].kind], seconds

        def jump_first(
            ctx: StateContext[Any], own: type[StateKind[Any]] = own, bench: Bench = bench, set_by: float = set_by
        ) -> Result:
            bench.world.clock.jump(set_by)
            return own().perform(ctx)

        put_in(bench, state, jump_first)
        report = bench.run(version_for(state))
        assert report.outage_s is None or report.outage_s >= 0
        ends.append((report.run.verdict, bench.recorder.path, bench.world.chain(), bench.world.clock.monotonic()))
    assert ends[0] == ends[1]
