"""The real engine and the real states against an in-memory world: whole chains and what is left of the world."""

import json
import signal
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock

import pytest

from benchmarks.growth import add_states
from orchestrator.core.errors import BusyError, DatabaseError, PlatformError, UnfinishedRunError
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.journal.journal import Journal
from orchestrator.journal.lock import project_lock
from orchestrator.machine.machine import choose_forward
from orchestrator.plan.standard import STANDARD_INITIAL
from orchestrator.run import runner
from tests.tools.bench import (
    BACK,
    FORWARD,
    WITHOUT_REHEARSAL,
    Bench,
    serving_version,
    write_machine_without_rehearsal,
)
from tests.tools.build import announce_up_to
from tests.tools.outside import FakeOperator

#: Freezing writes into the run's own folder only.
NOTHING_TOUCHED = ["workloads.freeze"]
SHIPPED = Path(__file__).parents[3] / "plans"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def write_machine_with_steps(number: int) -> str:
    """The machine without a rehearsal, and so many steps before the backup that change nothing."""
    plan = add_states({"states": json.loads(write_machine_without_rehearsal())}, number + len(FORWARD) + len(BACK))
    return f"initial: {STANDARD_INITIAL}\nstates: {json.dumps(plan['states'])}\n"


@pytest.fixture
def unrehearsed(tmp_path: Path) -> Bench:
    """The standard machine without a rehearsal, which would refuse a bad release before it is live."""
    return Bench(tmp_path, WITHOUT_REHEARSAL)


def test_how_often_the_plan_is_gone_through_does_not_depend_on_its_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(states: int) -> int:
        folder, gone = tmp_path / str(states), Mock(wraps=choose_forward)
        folder.mkdir()
        bench = Bench(folder, write_machine_with_steps(states))
        bench.world.host_commands["/bin/true"] = lambda _: 0
        monkeypatch.setattr(runner, "choose_forward", gone)
        report = bench.run()
        assert report.run.verdict is Verdict.COMMITTED
        assert len(bench.path()) > states
        return gone.call_count

    assert count(3) == count(50) > 0


def test_a_good_release_is_committed(bench: Bench) -> None:
    bench.world.users_write(3)
    report = bench.run()
    assert report.run.verdict is Verdict.COMMITTED
    assert report.run.exit_code == 0
    assert bench.path() == [
        "check", "preflight", "confirm", "prefetch", "backup", "rehearse", "stop", "pull", "migrate", "start",
        "health", "commit", "cleanup",
    ]  # fmt: skip
    assert serving_version(bench.world) == "v1.1.0"
    assert bench.world.pin.startswith("v1.1.0@sha256:")
    assert bench.world.missing() == []


@pytest.mark.parametrize(
    ("version", "failing", "outcome"),
    [("v1.2.0", "migrate", "failed"), ("v1.3.0", "health", "failed"), ("v1.4.0", "health", "failed")],
)
def test_a_bad_release_is_rolled_back_and_loses_nothing(
    unrehearsed: Bench, version: str, failing: str, outcome: str
) -> None:
    unrehearsed.world.users_write(7)
    before = unrehearsed.world.databases["ledger"].tables["public.entries"].copy()
    report = unrehearsed.run(version)
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert report.run.exit_code == 20
    assert (failing, outcome) in unrehearsed.recorder.path
    assert unrehearsed.path()[-2:] == ["restore", "rollback"]
    assert serving_version(unrehearsed.world) == "v1.0.0"
    assert unrehearsed.world.pin == "v1.0.0"
    assert unrehearsed.world.databases["ledger"].tables["public.entries"] == before
    assert unrehearsed.world.databases["ledger"].schema == 1
    assert len(report.quarantine) == 1
    assert report.quarantine[0] in unrehearsed.world.databases


def test_a_write_between_backup_and_stop_survives_a_rollback(unrehearsed: Bench) -> None:
    unrehearsed.world.happen("workloads.stop_services", lambda: unrehearsed.world.users_write(5))
    report = unrehearsed.run("v1.2.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert len(unrehearsed.world.acknowledged) == 5
    assert unrehearsed.world.missing() == []


def test_nothing_newer_is_up_to_date_and_touches_nothing(bench: Bench) -> None:
    announce_up_to(bench.world, "v1.0.0")
    report = bench.run()
    assert report.run.verdict is Verdict.UP_TO_DATE
    assert report.run.exit_code == 0
    assert bench.world.chain() == NOTHING_TOUCHED


def test_a_release_that_does_not_exist_is_refused_and_touches_nothing(bench: Bench) -> None:
    report = bench.service.run(ReleaseRequest(version="v9.9.9"), assume_yes=True, listener=bench.recorder)
    assert report.run.verdict is Verdict.REFUSED
    assert report.run.exit_code == 10
    assert "9.9.9" in report.run.reason
    assert bench.world.chain() == NOTHING_TOUCHED


@pytest.mark.parametrize(
    ("answer", "verdict"), [(False, Verdict.REFUSED), (None, Verdict.REFUSED), (True, Verdict.COMMITTED)]
)
def test_the_operator_decides(tmp_path: Path, answer: bool | None, verdict: Verdict) -> None:
    bench = Bench(tmp_path, operator=FakeOperator(answer))
    report = bench.run(force=False)
    assert report.run.verdict is verdict
    assert (bench.world.chain() == NOTHING_TOUCHED) is (verdict is Verdict.REFUSED)


@pytest.mark.parametrize(
    ("method", "error", "verdict"),
    [
        ("database.dump", DatabaseError("database.dump_failed", "The dump failed."), Verdict.REFUSED),
        ("images.pull", PlatformError("pull.denied", "The pull was denied."), Verdict.REFUSED),
        ("workloads.stop_services", PlatformError("engine.refused", "No."), Verdict.ROLLED_BACK),
        ("database.copy", DatabaseError("database.in_use", "Somebody is there."), Verdict.ROLLED_BACK),
        ("workloads.start_job", PlatformError("engine.unreachable", "No engine."), Verdict.ROLLED_BACK),
        ("workloads.write_pin", PlatformError("env.not_writable", "No."), Verdict.ROLLED_BACK),
        ("workloads.start_services", PlatformError("compose.failed", "No."), Verdict.ROLLED_BACK),
    ],
)
def test_a_fault_anywhere_leaves_the_old_version_serving(
    bench: Bench, method: str, error: Exception, verdict: Verdict
) -> None:
    bench.world.users_write(4)
    bench.world.fail(method, error)
    report = bench.run()
    assert report.run.verdict is verdict
    assert str(error) in report.run.reason
    assert serving_version(bench.world) == "v1.0.0"
    assert bench.world.missing() == []


def test_a_restore_that_fails_needs_an_operator_and_leaves_a_runbook(unrehearsed: Bench) -> None:
    unrehearsed.world.fail("database.swap", DatabaseError("database.unreachable", "The server is gone."), times=1000)
    report = unrehearsed.run("v1.2.0")
    assert report.run.verdict is Verdict.NEEDS_OPERATOR
    assert report.run.exit_code == 30
    assert len(report.next_steps) >= 4
    assert any("RENAME TO" in step for step in report.next_steps)


def test_a_wish_to_stop_is_heard_in_the_state_in_which_it_came(bench: Bench) -> None:
    bench.world.happen("images.resolve", lambda: bench.service.interruption.request(signal.SIGINT))
    report = bench.run()
    assert bench.recorder.path == [("check", "failed")]
    assert (report.run.verdict, report.run.exit_code) == (Verdict.REFUSED, 130)


def test_without_a_snapshot_the_proven_backup_is_restored(unrehearsed: Bench) -> None:
    unrehearsed.world.users_write(2)

    def lose_the_snapshot() -> None:
        for name in [name for name in unrehearsed.world.databases if "snapshot" in name]:
            del unrehearsed.world.databases[name]

    unrehearsed.world.happen("workloads.start_job", lose_the_snapshot)
    report = unrehearsed.run("v1.2.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert unrehearsed.world.missing() == []


def test_a_bug_in_an_adapter_is_no_outcome(bench: Bench) -> None:
    bench.world.fail("workloads.start_job", ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        bench.run()
    with pytest.raises(UnfinishedRunError, match="was cut off") as caught:
        bench.run()
    assert "docker compose" in caught.value.hint


def test_a_run_that_was_cut_off_can_be_closed_by_its_operator(bench: Bench) -> None:
    bench.world.fail("images.pull", ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        bench.run()
    unfinished = bench.service.records.reports()[0].run.id
    assert bench.service.close(unfinished).run.verdict is Verdict.NEEDS_OPERATOR
    assert bench.run().run.verdict is Verdict.COMMITTED


def test_a_run_is_not_closed_over_a_migration_that_is_still_at_work(unrehearsed: Bench) -> None:
    unrehearsed.world.fail("workloads.wait_job", ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        unrehearsed.run()
    unfinished = unrehearsed.service.records.reports()[0].run.id
    no_engine = PlatformError("engine.unreachable", "No engine.")
    unrehearsed.world.fail("workloads.end_jobs", no_engine)
    with pytest.raises(PlatformError):
        unrehearsed.service.close(unfinished)
    assert unrehearsed.service.close(unfinished).run.verdict is Verdict.NEEDS_OPERATOR
    assert not [job for job in unrehearsed.world.jobs.values() if job.running]


def test_a_second_run_is_told_who_is_at_work(bench: Bench) -> None:
    with project_lock(bench.world.project_directory / ".orchestrator", run_id="r-other"), pytest.raises(BusyError):
        bench.run()
    assert bench.world.calls == []


def test_everything_that_was_done_is_in_the_journal_first(bench: Bench) -> None:
    seen: list[str] = []

    def look() -> None:
        with closing(Journal.open(bench.plan.journal_directory)) as journal:
            unfinished = journal.find_unfinished()
            assert unfinished is not None
            seen.extend(f"{r.record} {r.state}" for r in journal.records(unfinished.id)[-2:])

    bench.world.happen("workloads.stop_services", look)
    bench.run()
    assert seen == ["entered stop", "prepared stop"]


def test_three_backups_are_kept_after_five_upgrades(bench: Bench) -> None:
    for version in ("v1.1.0", "v1.0.0", "v1.1.0", "v1.0.0", "v1.1.0"):
        announce_up_to(bench.world, "v1.1.0")
        bench.world.clock.advance(3600)
        report = bench.service.run(
            ReleaseRequest(version=version, allow_downgrade=True), assume_yes=True, listener=bench.recorder
        )
        assert report.run.verdict is Verdict.COMMITTED
    assert len(bench.world.files) == 3
    assert len(bench.service.records.receipts()) == 3
    assert sum("snapshot" in name for name in bench.world.databases) == 1


def test_a_dry_run_looks_at_the_world_and_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    states = bench.service.dry_run(ReleaseRequest(), assume_yes=False)
    assert [state.name for state in states][:3] == ["check", "preflight", "confirm"]
    assert all(state.does for state in states)
    assert not any(state.problem for state in states)
    assert bench.world.calls == []
    assert sorted(tmp_path.rglob("*")) == before


def test_a_plan_without_check_chooses_the_release_as_it_opens(tmp_path: Path) -> None:
    plain = (SHIPPED / "plain.yaml").read_text()
    machine = plain[plain.index("\ninitial:") :]
    bench = Bench(tmp_path, machine)
    assert bench.run().run.verdict is Verdict.COMMITTED
    assert bench.path() == ["backup", "stop", "pull", "migrate", "start", "health"]
    assert bench.run("v1.2.0").run.verdict is Verdict.ROLLED_BACK
    assert serving_version(bench.world) == "v1.1.0"


def test_an_interruption_takes_the_way_back(bench: Bench) -> None:
    bench.world.happen("workloads.start_job", lambda: bench.service.interruption.request(2))
    report = bench.run()
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert serving_version(bench.world) == "v1.0.0"


def test_an_interrupted_stop_is_over_before_the_old_version_is_started(bench: Bench) -> None:
    bench.world.happen("workloads.stop_services", lambda: bench.service.interruption.request(2))
    report = bench.run()
    assert report.run.verdict is Verdict.ROLLED_BACK, report.run.reason
    assert serving_version(bench.world) == "v1.0.0"
    assert bench.world.containers["app"].restart_policy == bench.world.restart_policy


def test_what_was_not_told_to_stop_is_not_stopped_to_go_back(bench: Bench) -> None:
    bench.world.fail("workloads.stop_services", PlatformError("engine.refused", "No."))
    assert bench.run().run.verdict is Verdict.ROLLED_BACK
    assert bench.world.chain().count("workloads.stop_services") == 1


def test_an_interruption_before_anything_was_touched_ends_with_the_signal(bench: Bench) -> None:
    bench.world.happen("images.pull", lambda: bench.service.interruption.request(2))
    report = bench.run()
    assert report.run.verdict is Verdict.REFUSED
    assert report.run.exit_code == 130


def test_what_a_state_says_itself_overrides_the_target(tmp_path: Path) -> None:
    plain = (SHIPPED / "plain.yaml").read_text()
    machine = plain[plain.index("\ninitial:") :]
    line = next(line for line in machine.splitlines() if "kind: health" in line)
    longer = line.replace("kind: health,", "kind: health, with: {steady_for: 30s},")
    assert longer != line
    bench = Bench(tmp_path, machine.replace(line, longer))
    report = bench.run()
    assert report.run.verdict is Verdict.COMMITTED
    assert next(line.seconds for line in report.states if line.state == "health") >= 30
