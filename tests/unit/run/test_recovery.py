"""Killed anywhere, a run is brought to a named end by one command, and nothing that was saved is lost."""

from __future__ import annotations

import signal
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.core.errors import CheckpointError, UnfinishedRunError
from orchestrator.core.model.verdict import Verdict
from orchestrator.journal.journal import Journal, Run
from orchestrator.machine.resume import Mode, ResumeAction
from orchestrator.reports.report import RunReport
from orchestrator.run.recovery import Takeover
from orchestrator.run.service import Service
from states.registry import KINDS
from tests.faults.failpoints import points as failpoints
from tests.faults.failpoints.wrapping import journal_watched, wrap
from tests.faults.invariants import check as judge
from tests.faults.invariants import read_evidence
from tests.tools.bench import WITHOUT_REHEARSAL, Bench
from tests.tools.build import make_ports
from tests.tools.clock import FakeClock
from tests.tools.outside import FakeOperator
from tests.tools.script import Killed, When


@dataclass
class Killing:
    """Runs of one story, killed around each of its effects in turn."""

    folder: Path
    machine: str
    version: str

    def count(self) -> int:
        bench = self.begin("count")
        before = len(bench.world.calls)
        bench.run(self.version)
        return len(bench.world.calls) - before

    def begin(self, name: str) -> Bench:
        folder = self.folder / name
        folder.mkdir()
        bench = Bench(folder, self.machine)
        bench.world.users_write(3)
        return bench

    def kill(self, number: int, when: When) -> Bench:
        bench = self.begin(f"{number}-{when}")
        bench.world.script.die_at(number, when)
        with pytest.raises(Killed):
            bench.run(self.version)
        bench.world.script.revive()
        return bench


def take_up(bench: Bench, mode: Mode, told: list[ResumeAction] | None = None) -> RunReport | None:
    """What a second process would do."""

    def announce(run: Run, move: ResumeAction) -> None:
        if told is not None:
            told.append(move)

    way = Takeover(bench.plan, KINDS, make_ports(bench.world))
    return way.take_up(mode, announce=announce, listener=bench.recorder)


def kill_at(bench: Bench, point: str, version: str) -> None:
    """The process dies at a named point."""

    def die() -> None:
        raise Killed

    points = failpoints.Killing(die_at=point, kill=die)
    bench.service = replace(bench.service, ports=wrap(bench.service.ports, points))
    with journal_watched(points), pytest.raises(Killed):
        bench.run(version)


def check(bench: Bench, report: RunReport, where: str) -> None:
    """What can be judged of an end without a trace; what leads to it is judged at every point in `failpoints`."""
    assert report.run.verdict in (Verdict.COMMITTED, Verdict.ROLLED_BACK, Verdict.REFUSED), f"{where}: {report.run}"
    judge(read_evidence(bench.plan, bench.before, bench.world, (), ended_in=0), where)
    assert bench.world.lost() == []


def test_the_next_run_says_that_one_is_unfinished_and_offers_both_ways(tmp_path: Path) -> None:
    killing = Killing(tmp_path, WITHOUT_REHEARSAL, "v1.1.0")
    bench = killing.kill(killing.count() // 2, "after")
    with pytest.raises(UnfinishedRunError, match="was cut off") as caught:
        bench.run("v1.1.0")
    assert "orchestrator resume" in caught.value.hint
    assert "orchestrator recover" in caught.value.hint


def test_what_was_found_and_what_follows_is_told_before_anything_is_done(tmp_path: Path) -> None:
    killing = Killing(tmp_path, WITHOUT_REHEARSAL, "v1.1.0")
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.happen("workloads.start_job", lambda: bench.world.script.die_at(0, "before"))
    del killing
    with pytest.raises(Killed):
        bench.run("v1.1.0")
    bench.world.script.revive()
    told: list[ResumeAction] = []
    calls = len(bench.world.calls)

    def announce(run: Run, move: ResumeAction) -> None:
        assert len(bench.world.calls) == calls
        told.append(move)

    Takeover(bench.plan, KINDS, make_ports(bench.world)).take_up(
        Mode.RECOVER, announce=announce, listener=bench.recorder
    )
    assert [(move.state, move.found) for move in told] == [("migrate", "It was cut off in migrate.")]


def test_another_engine_is_left_alone(tmp_path: Path) -> None:
    killing = Killing(tmp_path, WITHOUT_REHEARSAL, "v1.1.0")
    bench = killing.kill(killing.count() // 2, "after")
    bench.world.system_identifier = "another"
    calls = len(bench.world.calls)
    with pytest.raises(UnfinishedRunError, match="another engine or database server") as caught:
        take_up(bench, Mode.RECOVER)
    assert caught.value.exit_code == 30
    assert len(bench.world.calls) == calls


def test_a_run_that_is_cut_off_again_and_again_needs_its_operator(tmp_path: Path) -> None:
    bench = Killing(tmp_path, WITHOUT_REHEARSAL, "v1.2.0").kill(12, "after")
    for _ in range(9):
        bench.world.script.die_at(0, "after")
        try:
            report = take_up(bench, Mode.RECOVER)
        except Killed:
            bench.world.script.revive()
            continue
        break
    else:
        pytest.fail("it went on for ever")
    assert report is not None
    assert report.run.verdict is Verdict.NEEDS_OPERATOR
    assert report.next_steps
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        assert sum(record.record == "resumed" for record in journal.records(report.run.id)) == 6


@pytest.mark.parametrize("method", ["database.copy", "workloads.start_job", "workloads.start_services"])
def test_a_host_that_shuts_down_leaves_the_run_for_the_next_boot(tmp_path: Path, method: str) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.users_write(3)
    bench.world.happen(method, lambda: bench.service.interruption.request(signal.SIGTERM))
    with pytest.raises(CheckpointError) as left:
        bench.run("v1.1.0")
    assert left.value.exit_code == 143
    assert "orchestrator recover" in left.value.hint
    assert "database.swap" not in bench.world.chain()
    bench.world.reboot()
    report = take_up(bench, Mode.RECOVER)
    assert report is not None
    check(bench, report, method)


def test_before_the_app_was_touched_a_shutdown_just_refuses(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.happen("backups.write", lambda: bench.service.interruption.request(signal.SIGTERM))
    report = bench.run("v1.1.0")
    assert (report.run.verdict, report.run.exit_code) == (Verdict.REFUSED, 143)


@pytest.mark.parametrize("method", ["database.swap", "workloads.write_pin", "workloads.start_services"])
def test_going_back_too_is_left_to_the_next_boot(tmp_path: Path, method: str) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.users_write(3)
    bench.world.happen(method, lambda: bench.service.interruption.request(signal.SIGTERM))
    with pytest.raises(CheckpointError):
        bench.run("v1.2.0")
    bench.world.reboot()
    report = take_up(bench, Mode.RECOVER)
    assert report is not None
    check(bench, report, method)
    assert report.run.verdict is Verdict.ROLLED_BACK


@pytest.mark.parametrize("method", ["workloads.end_jobs", "database.swap", "workloads.start_services"])
def test_a_recovery_too_is_left_to_the_next_boot(tmp_path: Path, method: str) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.users_write(3)
    bench.world.happen("workloads.start_job", lambda: bench.world.script.die_at(0, "before"), when="after")
    with pytest.raises(Killed):
        bench.run("v1.2.0")
    bench.world.script.revive()
    way = Takeover(bench.plan, KINDS, make_ports(bench.world))
    bench.world.happen(method, lambda: way.interruption.request(signal.SIGTERM))
    with pytest.raises(CheckpointError):
        way.take_up(Mode.RECOVER, announce=lambda *_: None, listener=bench.recorder)
    bench.world.reboot()
    report = take_up(bench, Mode.RECOVER)
    assert report is not None
    check(bench, report, method)


def test_no_later_signal_takes_back_that_the_run_is_to_be_left(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)

    def leave() -> None:
        bench.service.interruption.request(signal.SIGTERM)
        bench.service.interruption.request(signal.SIGINT)

    bench.world.happen("database.copy", leave)
    with pytest.raises(CheckpointError):
        bench.run("v1.1.0")


def test_to_be_left_between_two_states_is_not_forgotten(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.happen("workloads.remove_job", lambda: bench.service.interruption.request(signal.SIGTERM), when="after")
    with pytest.raises(CheckpointError):
        bench.run("v1.2.0")
    assert "database.swap" not in bench.world.chain()


def test_a_server_that_is_not_up_yet_leaves_the_run_for_the_next_attempt(tmp_path: Path) -> None:
    killing = Killing(tmp_path, WITHOUT_REHEARSAL, "v1.2.0")
    bench = killing.kill(killing.count() // 2, "after")
    bench.world.database_up = False
    for _ in range(7):
        with pytest.raises(UnfinishedRunError, match="could not go on: The database server does not answer") as caught:
            take_up(bench, Mode.RECOVER)
        assert caught.value.exit_code == 30
    bench.world.database_up = True
    report = take_up(bench, Mode.RECOVER)
    assert report is not None
    check(bench, report, "the server is up")


@pytest.mark.parametrize("mode", [Mode.RECOVER, Mode.RESUME])
@pytest.mark.parametrize("version", ["v1.1.0", "v1.2.0"])
def test_a_run_that_lacks_nothing_but_its_end_is_given_it(tmp_path: Path, version: str, mode: Mode) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    kill_at(bench, "journal.end.before", version)
    calls = len(bench.world.calls)
    report = take_up(bench, mode)
    assert report is not None
    assert report.run.verdict is (Verdict.COMMITTED if version == "v1.1.0" else Verdict.ROLLED_BACK)
    assert bench.world.chain()[calls:] == ["workloads.end_jobs", "stage.remove_all", "database.end_abandoned"]
    check(bench, report, "only the end was not recorded")


@pytest.mark.parametrize("entry", range(1, 10))
def test_a_run_that_is_cut_off_between_two_states_can_be_told_of(tmp_path: Path, entry: int) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.users_write(3)
    kill_at(bench, "journal.entered.before" + (f"#{entry}" if entry > 1 else ""), "v1.1.0")
    report = take_up(bench, Mode.RECOVER)
    assert report is not None
    check(bench, report, f"cut off before its state {entry}")
    assert all(line.kind for line in report.states)
    assert bench.service.records.reports() == (report,)


@pytest.mark.parametrize("point", ["database.copy.after", "backups.write.after", "journal.left.before#6"])
def test_what_was_not_told_of_yet_is_taken_away(tmp_path: Path, point: str) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    kill_at(bench, point, "v1.1.0")
    report = take_up(bench, Mode.RECOVER)
    assert report is not None
    assert list(bench.world.databases) == ["ledger"]
    assert list(bench.world.files) == [report.backup.path for _ in range(1) if report.backup]
    assert report.snapshot is None


def test_taken_up_by_a_person_it_copies_the_database_again_and_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    kill_at(bench, "database.copy.after", "v1.1.0")
    report = take_up(bench, Mode.RESUME)
    assert report is not None
    assert report.run.verdict is Verdict.COMMITTED


def test_a_proven_backup_of_an_earlier_run_is_not_taken_for_an_unfinished_one(tmp_path: Path) -> None:
    class Standing(FakeClock):
        """It is always the same moment, for people."""

        def now(self) -> datetime:
            return datetime(2026, 1, 5, tzinfo=UTC)

    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.clock = Standing()
    bench.service = Service(bench.plan, KINDS, make_ports(bench.world))
    first = bench.run("v1.2.0")
    assert first.backup is not None
    kill_at(bench, "backups.write.before", "v1.1.0")
    assert take_up(bench, Mode.RECOVER) is not None
    assert first.backup.path in bench.world.files


def test_the_name_that_keeps_the_old_image_is_found_by_a_later_cleanup(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    kill_at(bench, "images.keep.after", "v1.1.0")
    assert take_up(bench, Mode.RECOVER) is not None
    bench.service = Service(bench.plan, KINDS, make_ports(bench.world))
    done = bench.run("v1.1.0")
    kept = {name for image in bench.world.images for name in image.names if name.startswith("upgrade-orchestrator")}
    assert kept == {f"upgrade-orchestrator/kept:{done.run.id}"}


@pytest.mark.parametrize("mode", Mode)
def test_a_new_version_that_a_reboot_has_ended_is_brought_up_again_and_judged(tmp_path: Path, mode: Mode) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.happen("workloads.start_services", lambda: bench.world.happen("probe.get", bench.world.script.kill))
    with pytest.raises(Killed):
        bench.run("v1.1.0")
    bench.world.script.revive()
    assert bench.path()[-1] == "start"
    bench.world.reboot()
    report = take_up(bench, mode)
    assert report is not None
    assert report.run.verdict is Verdict.COMMITTED
    check(bench, report, "rebooted")


def test_whoever_resumes_before_he_was_asked_is_asked(tmp_path: Path) -> None:
    operator = FakeOperator(False)
    bench = Bench(tmp_path, WITHOUT_REHEARSAL, operator)
    bench.world.happen("workloads.check_gate", bench.world.script.kill)
    with pytest.raises(Killed):
        bench.run("v1.1.0", force=False)
    bench.world.script.revive()
    way = Takeover(bench.plan, KINDS, make_ports(bench.world, operator=operator))
    report = way.take_up(Mode.RESUME, announce=lambda *_: None, listener=bench.recorder)
    assert report is not None
    assert report.run.verdict is Verdict.REFUSED
    assert len(operator.questions) == 1


def test_whoever_has_forced_the_run_is_not_asked_by_its_resumption(tmp_path: Path) -> None:
    operator = FakeOperator(False)
    bench = Bench(tmp_path, WITHOUT_REHEARSAL, operator)
    bench.world.happen("workloads.check_gate", bench.world.script.kill)
    with pytest.raises(Killed):
        bench.run("v1.1.0")
    bench.world.script.revive()
    way = Takeover(bench.plan, KINDS, make_ports(bench.world, operator=operator))
    report = way.take_up(Mode.RESUME, announce=lambda *_: None, listener=bench.recorder)
    assert report is not None
    assert report.run.verdict is Verdict.COMMITTED
    assert operator.questions == []


def test_why_it_went_back_is_told_also_when_it_was_cut_off_on_the_way(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.happen("database.swap", bench.world.script.kill)
    with pytest.raises(Killed):
        bench.run("v1.2.0")
    bench.world.script.revive()
    report = take_up(bench, Mode.RECOVER)
    assert report is not None
    assert "The migration ended with exit code 1" in report.run.reason
