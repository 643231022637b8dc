"""Killed between two records of the journal, not around an effect: the run comes to its end, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.errors import DatabaseError
from orchestrator.core.model.verdict import Verdict
from orchestrator.journal.journal import Journal
from orchestrator.machine.resume import Mode
from orchestrator.plan.operations import derive_again
from orchestrator.reports.report import RunReport
from orchestrator.run.recovery import Takeover
from states.registry import KINDS
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version
from tests.tools.build import make_ports
from tests.tools.script import Killed
from tests.unit.run.test_names_taken import bench_with_a_step_before_commit
from tests.unit.run.test_recovery import take_up

Work = Callable[[], object]


def kill_at(method: str, matches: Callable[..., bool], work: Work) -> None:
    """Let the process be killed as it is about to write the record for which ``matches`` is true."""

    def die(self: Journal, *arguments: Any, **named: Any) -> Any:
        if matches(*arguments, **named):
            raise Killed
        return original(self, *arguments, **named)

    original = getattr(Journal, method)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Journal, method, die)
        work()


def kill_before(state: str, work: Work) -> None:
    kill_at("append", lambda _run, _at, record, name, _payload: (record, name) == ("entered", state), work)


def recover(bench: Bench) -> RunReport:
    report = take_up(bench, Mode.RECOVER)
    assert report is not None
    return report


def recover_exchange(bench: Bench) -> RunReport:
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        run = journal.find_unfinished()
        assert run is not None
        recorded = {record.state for record in journal.records(run.id)}
    plan = derive_again(bench.plan, KINDS, run.request, recorded)
    report = Takeover(plan, KINDS, make_ports(bench.world)).take_up(
        Mode.RECOVER, announce=lambda *_: None, listener=bench.recorder
    )
    assert report is not None
    return report


def reload(bench: Bench) -> Work:
    file = next(path for path in bench.world.files if path.name.endswith(".gz"))
    bench.world.clock.advance(60)
    way = bench.service
    return lambda: way.restore_backup(file, foreign=False, assume_yes=True, listener=bench.recorder)


@pytest.mark.parametrize(("version", "verdict"), [("v1.1.0", Verdict.COMMITTED), ("v1.2.0", Verdict.ROLLED_BACK)])
def test_a_run_of_which_only_the_end_is_not_recorded_gets_it(tmp_path: Path, version: str, verdict: Verdict) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    kill_at("end", lambda *_arguments: True, lambda: bench.run(version))
    chain = bench.world.chain()
    assert recover(bench).run.verdict is verdict
    assert bench.world.chain()[len(chain) :] == ["workloads.end_jobs", "stage.remove_all", "database.end_abandoned"]
    assert serving_version(bench.world) == ("v1.1.0" if verdict is Verdict.COMMITTED else "v1.0.0")


def test_users_are_not_locked_out_of_a_version_that_was_seen_to_serve_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.run("v1.1.0")
    work = reload(bench)
    bench.world.fail("database.swap", DatabaseError("database.in_use", "Somebody is connected."))
    kill_before("tidy", work)
    assert serving_version(bench.world) == "v1.1.0"
    assert recover_exchange(bench).run.verdict is Verdict.ROLLED_BACK
    assert serving_version(bench.world) == "v1.1.0"


def test_the_new_version_is_not_locked_out_by_resuming_in_a_step_behind_its_start(tmp_path: Path) -> None:
    bench = bench_with_a_step_before_commit(tmp_path)
    bench.world.host_commands["tell"] = lambda _: 0
    kill_before("tell", bench.run)
    report = take_up(bench, Mode.RESUME)
    assert report is not None
    assert report.run.verdict is Verdict.COMMITTED
    assert serving_version(bench.world) == "v1.1.0"


@pytest.mark.parametrize("reboots", [False, True])
@pytest.mark.parametrize("record", ["entered", "prepared", "left"])
def test_what_users_saved_after_the_backup_stays_where_an_exchange_of_data_was_cut_off(
    tmp_path: Path, record: str, reboots: bool
) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.run("v1.1.0")
    bench.world.clock.advance(60)
    bench.world.happen("workloads.stop_services", lambda: bench.world.users_write(3))
    kill_at(
        "append",
        lambda _run, _at, word, name, _payload: (word, name) == (record, "swap_in"),
        lambda: bench.service.roll_back(assume_yes=True, listener=bench.recorder),
    )
    if reboots:
        bench.world.reboot()
    assert recover_exchange(bench).run.verdict is Verdict.ROLLED_BACK
    assert serving_version(bench.world) == "v1.1.0"
    assert len(bench.world.acknowledged) == 3
    assert bench.world.missing() == []


def test_a_stop_that_was_cut_off_behind_its_copy_can_be_done_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.users_write(3)
    kill_at("append", lambda _run, _at, word, name, _payload: (word, name) == ("left", "stop"), bench.run)
    report = take_up(bench, Mode.RESUME)
    assert report is not None
    assert report.run.verdict is Verdict.COMMITTED
    assert bench.world.missing() == []
