"""Killed while it goes back on request: the version and the data are exchanged, or both are what they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.model.verdict import Verdict
from orchestrator.machine.resume import Mode
from orchestrator.plan.operations import derive_rollback
from orchestrator.reports.report import RunReport
from orchestrator.run.recovery import Takeover
from states.registry import KINDS
from states.swap_in import SwapIn
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version
from tests.tools.build import make_ports
from tests.tools.script import Killed, When

pytestmark = pytest.mark.slow


def begin(folder: Path) -> Bench:
    """An upgrade was committed; users write since, also between the backup and the stop of what goes back."""
    folder.mkdir()
    bench = Bench(folder, WITHOUT_REHEARSAL)
    bench.world.users_write(2)
    bench.run("v1.1.0")
    bench.world.users_write(3)
    bench.world.clock.advance(60)
    bench.world.happen("workloads.stop_services", lambda: bench.world.users_write(2))
    return bench


def roll_back(bench: Bench) -> None:
    bench.service.roll_back(assume_yes=True, listener=bench.recorder)


def recover(bench: Bench, die_after: int | None = None) -> RunReport:
    bench.world.script.revive()
    if die_after is not None:
        bench.world.script.die_at(die_after, "after")
    way = Takeover(derive_rollback(bench.plan, KINDS), KINDS, make_ports(bench.world))
    report = way.take_up(Mode.RECOVER, announce=lambda run, move: None, listener=bench.recorder)
    assert report is not None
    return report


def check(bench: Bench, report: RunReport, where: str) -> None:
    world = bench.world
    went = report.run.verdict is Verdict.COMMITTED
    assert went or report.run.verdict in (Verdict.ROLLED_BACK, Verdict.REFUSED), f"{where}: {report.run.reason}"
    assert serving_version(world) == ("v1.0.0" if went else "v1.1.0"), where
    assert world.lost() == [], where
    assert len(world.missing()) == (5 if went else 0), where
    assert {*report.quarantine} <= {*world.databases}, where
    unnamed = {*world.databases} - {world.live, *report.quarantine}
    assert not [name for name in unnamed if "__snapshot_" not in name], where  # the committed upgrade's own
    assert report.snapshot is None, where
    assert not world.databases[world.live].fenced, where


@pytest.mark.parametrize("when", ["before", "after"])
def test_wherever_it_is_killed_nothing_is_exchanged_by_half(tmp_path: Path, when: When) -> None:
    whole = begin(tmp_path / "whole")
    before = len(whole.world.calls)
    roll_back(whole)
    for number in range(len(whole.world.calls) - before):
        bench = begin(tmp_path / f"{number}")
        bench.world.script.die_at(number, when)
        with pytest.raises(Killed):
            roll_back(bench)
        report = recover(bench)
        check(bench, report, f"killed {when} effect {number}, behind {bench.world.chain()[-3:]}")


def test_killed_before_it_has_looked_at_the_data_they_stay_as_the_app_left_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = begin(tmp_path / "one")
    with monkeypatch.context() as patched:
        patched.setattr(SwapIn, "prepare", die)
        with pytest.raises(Killed):
            roll_back(bench)
    report = recover(bench)
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert report.quarantine == ()
    assert "was not swapped in yet" in report.way_back
    check(bench, report, "killed at the beginning of swap_in")


def test_killed_again_while_the_data_come_back_all_that_is_kept_is_named(tmp_path: Path) -> None:
    whole = begin(tmp_path / "whole")
    cut_off_behind_its_swap(whole)
    number_of_effects = len(whole.world.calls)
    recover(whole)
    for number in range(len(whole.world.calls) - number_of_effects):
        bench = begin(tmp_path / f"{number}")
        cut_off_behind_its_swap(bench)
        with pytest.raises(Killed):
            recover(bench, die_after=number)
        report = recover(bench)
        assert report.run.verdict is Verdict.ROLLED_BACK
        assert len(report.quarantine) == 1
        check(bench, report, f"killed again after effect {number} of the recovery, behind {bench.world.chain()[-3:]}")


def cut_off_behind_its_swap(bench: Bench) -> None:
    bench.world.happen("database.swap", die, when="after")
    with pytest.raises(Killed):
        roll_back(bench)


def die(*_: object) -> None:
    raise Killed
