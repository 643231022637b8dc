"""`rollback` after a commit, and `backups restore`: the data are exchanged, nothing that was saved is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.errors import PlatformError
from orchestrator.core.model.progress import Question
from orchestrator.core.model.verdict import Verdict
from orchestrator.reports.report import RunReport
from tests.tools.backups import FakeBackupStore
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version
from tests.tools.dump import build_dump
from tests.tools.outside import FakeOperator


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, WITHOUT_REHEARSAL)


def roll_back(bench: Bench, *, force: bool = True) -> RunReport:
    bench.world.clock.advance(60)
    return bench.service.roll_back(assume_yes=force, listener=bench.recorder)


def reload(bench: Bench, file: Path, *, foreign: bool = False, force: bool = True) -> RunReport:
    bench.world.clock.advance(60)
    return bench.service.restore_backup(file, foreign=foreign, assume_yes=force, listener=bench.recorder)


def upgrade(bench: Bench, version: str = "v1.1.0") -> RunReport:
    bench.world.clock.advance(60)
    return bench.run(version)


def test_going_back_brings_version_and_data_of_before_and_keeps_what_was_saved_since(bench: Bench) -> None:
    bench.world.users_write(2)
    upgrade(bench)
    bench.world.users_write(3)
    report = roll_back(bench)
    assert report.run.verdict is Verdict.COMMITTED, report.run.reason
    assert report.run.exit_code == 0
    assert (report.from_version, report.to_version) == ("1.1.0", "1.0.0")
    assert serving_version(bench.world) == "v1.0.0"
    assert len(bench.world.missing()) == 3
    assert bench.world.lost() == []
    (kept,) = bench.service.records.quarantines()
    assert report.quarantine == (kept.database,)
    assert report.backup is not None
    assert report.backup.version == "v1.1.0"


def test_a_way_back_that_was_taken_back_can_be_tried_again(bench: Bench) -> None:
    bench.world.users_write(2)
    upgrade(bench)
    bench.world.users_write(3)
    for _ in range(2):
        bench.world.fail("workloads.start_services", PlatformError("compose.failed", "No memory."))
        assert roll_back(bench).run.verdict is Verdict.ROLLED_BACK
        assert serving_version(bench.world) == "v1.1.0"
        assert bench.world.missing() == []
    assert len(bench.service.records.quarantines()) == 1
    report = roll_back(bench)
    assert report.run.verdict is Verdict.COMMITTED, report.run.reason
    assert serving_version(bench.world) == "v1.0.0"
    assert len(bench.world.missing()) == 3
    assert bench.world.lost() == []
    assert [kept.database for kept in bench.service.records.quarantines()] == list(report.quarantine)


def test_the_question_says_how_much_was_committed_since(tmp_path: Path) -> None:
    operator = FakeOperator(True)
    bench = Bench(tmp_path, WITHOUT_REHEARSAL, operator=operator)
    upgrade(bench)
    bench.world.users_write(7)
    roll_back(bench, force=False)
    question: Question = operator.questions[-1]
    assert question.title == "Go back to v1.0.0 and the data of before"
    assert any("7 transactions" in line for line in question.lines)


def test_who_declines_changes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL, operator=FakeOperator(False))
    bench.run("v1.1.0")
    calls = len(bench.world.calls)
    report = roll_back(bench, force=False)
    assert report.run.verdict is Verdict.REFUSED
    assert {call.method for call in bench.world.calls[calls:]} == {"workloads.freeze"}


def test_without_an_upgrade_there_is_nothing_to_go_back_to(bench: Bench) -> None:
    report = roll_back(bench)
    assert report.run.verdict is Verdict.REFUSED
    assert "nothing to go back to" in report.run.reason


def test_data_that_are_not_kept_any_more_are_refused_with_the_other_way(bench: Bench) -> None:
    report = upgrade(bench)
    assert report.snapshot
    del bench.world.databases[report.snapshot]
    refused = roll_back(bench)
    assert refused.run.verdict is Verdict.REFUSED
    assert "backups restore" in refused.run.reason


def test_an_old_image_that_is_gone_is_refused(bench: Bench) -> None:
    upgrade(bench)
    bench.world.images = [image for image in bench.world.images if "v1.0.0" not in str(image.names)]
    refused = roll_back(bench)
    assert refused.run.verdict is Verdict.REFUSED
    assert "docker pull" in refused.run.reason


def test_the_release_that_was_left_is_not_installed_again_by_itself(bench: Bench) -> None:
    upgrade(bench)
    roll_back(bench)
    again = upgrade(bench)
    assert again.run.verdict is Verdict.REFUSED
    assert "went back from it" in again.run.reason
    assert bench.run("v1.1.0", retry=True).run.verdict is Verdict.COMMITTED


def test_going_back_a_second_time_goes_one_upgrade_further(bench: Bench) -> None:
    bench.world.releases["v1.4.0"].reports = "1.4.0"
    upgrade(bench)
    upgrade(bench, "v1.4.0")
    assert roll_back(bench).to_version == "1.1.0"
    refused = roll_back(bench)
    assert refused.run.verdict is Verdict.REFUSED, "only the newest snapshot is kept"


@pytest.mark.parametrize("method", ["workloads.stop_services", "database.swap", "workloads.start_services"])
def test_a_fault_on_the_way_leaves_the_present_version_and_its_data(bench: Bench, method: str) -> None:
    upgrade(bench)
    bench.world.users_write(3)
    bench.world.fail(method, PlatformError("engine.refused", "No."))
    report = roll_back(bench)
    assert report.run.verdict is Verdict.ROLLED_BACK, report.run.reason
    assert report.run.exit_code == 20
    assert serving_version(bench.world) == "v1.1.0"
    assert bench.world.missing() == []


def test_a_backup_brings_its_data_back_and_keeps_what_was_saved_since(bench: Bench) -> None:
    upgrade(bench)
    bench.world.users_write(2)
    bench.world.releases["v1.2.0"].migrate = lambda _: 1
    upgrade(bench, "v1.2.0")
    receipt = bench.service.records.receipts()[0]
    bench.world.users_write(3)
    report = reload(bench, receipt.path)
    assert report.run.verdict is Verdict.COMMITTED, report.run.reason
    assert serving_version(bench.world) == "v1.1.0"
    assert len(bench.world.missing()) == 3
    assert bench.world.lost() == []
    assert "app" in bench.world.containers
    assert not [name for name in bench.world.databases if "__restore_" in name]


def test_what_was_restored_beside_goes_again_when_the_answer_is_no(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL, operator=FakeOperator(False))
    bench.run("v1.1.0")
    before = set(bench.world.databases)
    report = reload(bench, bench.service.records.receipts()[0].path, force=False)
    assert report.run.verdict is Verdict.REFUSED
    assert set(bench.world.databases) == before
    assert serving_version(bench.world) == "v1.1.0"


def test_data_that_the_version_cannot_live_on_go_back_again(bench: Bench) -> None:
    upgrade(bench)
    bench.world.users_write(2)
    report = reload(bench, bench.service.records.receipts()[0].path)
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert serving_version(bench.world) == "v1.1.0"
    assert bench.world.missing() == []


def test_a_foreign_file_is_refused_unless_it_is_asked_for(bench: Bench) -> None:
    upgrade(bench)
    foreign = bench.world.backup_directory / "foreign.sql.gz"
    dump = build_dump(bench.world.databases["ledger"])
    FakeBackupStore(bench.world).write(foreign.name, lambda write: write(dump), report=lambda _: None)
    bench.world.users_write(1)
    refused = reload(bench, foreign)
    assert refused.run.verdict is Verdict.REFUSED
    assert "--foreign" in refused.run.reason
    assert reload(bench, foreign, foreign=True).run.verdict is Verdict.COMMITTED
