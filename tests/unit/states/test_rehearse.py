"""A bad release is found on a copy of the data while the old version serves."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.core.errors import DatabaseError, PlatformError
from orchestrator.core.facts import Rehearsal
from orchestrator.core.model.stores import StoreLoad
from orchestrator.core.model.verdict import Verdict
from orchestrator.journal.journal import Journal
from orchestrator.plan.standard import build_standard_states
from orchestrator.reports.report import RunReport
from tests.tools.bench import Bench, serving_version
from tests.tools.outside import FakeOperator
from tests.tools.things import migrate_to


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def rehearsal_of(bench: Bench, report: RunReport) -> Rehearsal:
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        found = journal.facts(report.run.id).find(Rehearsal)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("v1.2.0", "column authors.name contains null values"),
        ("v1.3.0", "Service app is unhealthy. Its own health check has failed for 2 s."),
        ("v1.4.0", "says that it is 1.3.9 instead of 1.4.0"),
    ],
)
def test_a_bad_release_is_refused_and_the_app_never_stopped(bench: Bench, version: str, words: str) -> None:
    before = bench.world.databases["ledger"]
    bench.world.happen("stage.open", lambda: bench.world.users_write(3))
    bench.world.happen("stage.workloads.start_job", lambda: bench.world.users_write(4))
    report = bench.run(version)
    assert (report.run.verdict, report.run.exit_code) == (Verdict.REFUSED, 10)
    assert words in report.run.reason
    assert bench.path()[-1] == "rehearse"
    assert not {"workloads.stop_services", "database.fence", "workloads.write_pin"} & set(bench.world.chain())
    assert serving_version(bench.world) == "v1.0.0"
    assert list(bench.world.databases.values()) == [before]
    assert len(bench.world.acknowledged) == 7
    assert bench.world.missing() == []
    assert bench.world.stages == {}


@pytest.mark.parametrize("version", ["v1.2.0", "v1.3.0"])
def test_a_release_that_fails_where_the_old_version_is_well_is_blamed(bench: Bench, version: str) -> None:
    bench.world.stage_limits = ("the volume data at /data of app is empty",)
    report = bench.run(version)
    assert "author of the release" in report.run.reason or "healthy_within" in report.run.reason
    assert "v1.0.0 is well in the same surroundings" in report.run.reason
    assert "/data" not in report.run.reason


@pytest.mark.parametrize("version", ["v1.1.0", "v1.2.0", "v1.3.0"])
def test_a_stage_on_which_the_old_version_is_not_well_either_is_no_failure_of_the_release(
    bench: Bench, tmp_path: Path, version: str
) -> None:
    bench.world.lives_on_stage = False
    bench.world.stage_limits = ("the volume data at /data of app is empty",)
    report = bench.run(version)
    assert (report.run.verdict, report.run.exit_code) == (Verdict.REFUSED, 10)
    assert "v1.0.0, which serves its users now, is not well on the copy either" in report.run.reason
    assert "the volume data at /data of app is empty; nothing outside" in report.run.reason
    assert "`rehearse: {with: {writable: [FOLDER]}}`" in report.run.reason
    assert "author of the release" not in report.run.reason
    assert (serving_version(bench.world), bench.world.missing(), bench.world.stages) == ("v1.0.0", [], {})
    assert list(tmp_path.rglob("rehearse-old-app.log"))
    bench.world.lives_on_stage = True
    if version == "v1.1.0":  # nothing is remembered against it
        assert bench.run(version).run.verdict is Verdict.COMMITTED


@pytest.mark.parametrize(("limits", "doubted"), [(("the volume data is empty",), True), ((), False)])
def test_a_failure_that_could_not_be_compared_is_doubted_where_something_is_lacking(
    bench: Bench, limits: tuple[str, ...], doubted: bool
) -> None:
    bench.world.stage_limits = limits

    def lose_the_backup() -> None:
        bench.world.fail("stage.database.restore", DatabaseError("database.failed", "Something broke."))

    bench.world.happen("stage.workloads.start_job", lose_the_backup)
    report = bench.run("v1.2.0")
    assert "may come from the rehearsal and not from the release" in report.run.reason or not doubted
    assert ("author of the release" in report.run.reason) is not doubted


def test_what_a_good_release_takes_is_measured_on_the_copy(bench: Bench) -> None:
    report = bench.run()
    rehearsal = rehearsal_of(bench, report)
    assert report.run.verdict is Verdict.COMMITTED
    assert rehearsal.restore_s > 0
    assert rehearsal.migrate_s >= bench.world.releases["v1.1.0"].migrate_s
    assert 0 < rehearsal.longest_lock_s <= rehearsal.migrate_s
    assert rehearsal.start_s >= 2
    assert rehearsal.alone
    assert rehearsal.outage_s == pytest.approx(rehearsal.copy_s + rehearsal.migrate_s + rehearsal.start_s)
    assert rehearsal.disk_peak_bytes >= 2 * rehearsal.database_bytes
    assert bench.world.stages == {}


def test_where_the_gate_takes_a_second_start_it_is_told_of(bench: Bench) -> None:
    bench.world.database_load = StoreLoad(admits_any=False, free_connections=90)
    rehearsal = rehearsal_of(bench, bench.run())
    assert rehearsal.outage_s == pytest.approx(rehearsal.copy_s + rehearsal.migrate_s + 2 * rehearsal.start_s)


def test_an_old_version_that_does_not_live_on_the_new_schema_is_no_failure(bench: Bench) -> None:
    rehearsal = rehearsal_of(bench, bench.run())
    assert not rehearsal.old_version_lives
    assert rehearsal.old_version_problem.startswith("Service app is unhealthy.")


def test_an_old_version_is_waited_for_as_long_as_the_new_one_makes_likely(tmp_path: Path) -> None:
    bench = Bench(tmp_path, health="give_up: deadline, ")
    bench.world.releases["v1.1.0"].healthy_after_s = 16.0
    rehearsal = rehearsal_of(bench, bench.run())
    assert rehearsal.start_s > 16
    assert f"was not done within {5 * rehearsal.start_s:g} s" in rehearsal.old_version_problem


def test_an_old_version_that_lives_on_the_new_schema_is_told(bench: Bench) -> None:
    release = bench.world.releases["v1.1.0"]
    release.schema, release.migrate = 1, migrate_to(1)
    report = bench.run()
    assert rehearsal_of(bench, report).old_version_lives
    reason = next(line.reason for line in report.states if line.state == "rehearse")
    assert reason.startswith("Restored and compared in 0.5 s, migrated in 2.")
    assert reason.endswith("the old version lives on the new schema.")


@pytest.mark.parametrize(("version", "verdict"), [("v1.1.0", Verdict.COMMITTED), ("v1.2.0", Verdict.REFUSED)])
def test_an_app_that_migrates_as_it_starts_is_rehearsed_too(tmp_path: Path, version: str, verdict: Verdict) -> None:
    bench = Bench(tmp_path, migrate="")
    bench.world.releases[version].migrates_on_start = True
    report = bench.run(version)
    assert report.run.verdict is verdict
    assert "stage.workloads.start_job" not in bench.world.chain()
    assert serving_version(bench.world) == ("v1.0.0" if verdict is Verdict.REFUSED else version)
    assert bench.world.missing() == []


def test_a_database_that_would_not_fit_a_second_time_is_refused_with_sizes(bench: Bench) -> None:
    bench.world.databases["ledger"].fixed_size_bytes = 3 * 1024**3
    report = bench.run()
    assert report.run.verdict is Verdict.REFUSED
    assert "Backup could not be proven restorable: no space. 9,728 MiB are needed" in report.run.reason
    assert "stage.open" not in bench.world.chain()


def test_an_image_that_is_gone_again_is_told_before_anything_is_tried(bench: Bench) -> None:
    def prune() -> None:
        bench.world.images = [one for one in bench.world.images if one.release is not bench.world.releases["v1.1.0"]]

    bench.world.happen("backups.write", prune)
    report = bench.run()
    assert report.run.verdict is Verdict.REFUSED
    assert "Let a state of the kind `pull` come before `rehearse`" in report.run.reason
    assert "stage.open" not in bench.world.chain()


@pytest.mark.parametrize("place", ["database_free_bytes", "engine_free_bytes"])
def test_room_is_needed_with_the_server_and_with_the_engine(bench: Bench, place: str) -> None:
    def fill() -> None:
        setattr(bench.world, place, 300 * 1024**2)

    bench.world.happen("backups.write", fill)
    report = bench.run()
    assert report.run.verdict is Verdict.REFUSED
    assert "300 MiB are free" in report.run.reason


def test_a_migration_that_fills_the_disk_is_ended(bench: Bench) -> None:
    def grow() -> None:
        stage = next(iter(bench.world.stages.values()))
        stage.databases["ledger"].fixed_size_bytes = 10 * 1024**3

    bench.world.happen("stage.workloads.start_job", grow, when="after")
    report = bench.run()
    assert report.run.verdict is Verdict.REFUSED
    assert "The rehearsal takes 10,240 MiB, more than" in report.run.reason
    assert bench.world.stages == {}


def test_a_backup_that_was_changed_since_is_not_restored(bench: Bench) -> None:
    def change() -> None:
        path, content = next(iter(bench.world.files.items()))
        bench.world.files[path] = content[:9] + bytes([content[9] ^ 1]) + content[10:]

    bench.world.happen("stage.open", change)
    report = bench.run()
    assert report.run.verdict is Verdict.REFUSED
    assert "is not the file that was proven" in report.run.reason


def test_a_restored_database_that_is_another_one_is_refused(bench: Bench) -> None:
    def lose_a_row() -> None:
        stage = next(iter(bench.world.stages.values()))
        stage.databases["ledger"].tables["public.entries"].pop()

    bench.world.happen("stage.database.rows", lose_a_row)
    report = bench.run()
    assert report.run.verdict is Verdict.REFUSED
    assert "public.entries (4 rows instead of 5)" in report.run.reason


@pytest.mark.parametrize(
    "method", ["stage.open", "stage.database.restore", "stage.database.copy", "stage.workloads.start_services"]
)
def test_a_fault_on_the_stage_leaves_nothing_of_it(bench: Bench, method: str) -> None:
    bench.world.fail(method, DatabaseError("database.failed", "Something broke."))
    report = bench.run()
    assert report.run.verdict is Verdict.REFUSED
    assert "Something broke." in report.run.reason
    assert bench.world.stages == {}


def test_an_interruption_leaves_nothing_and_ends_with_the_signal(bench: Bench) -> None:
    bench.world.happen("stage.workloads.start_job", lambda: bench.service.interruption.request(2), when="after")
    report = bench.run()
    assert (report.run.verdict, report.run.exit_code) == (Verdict.REFUSED, 130)
    assert bench.world.stages == {}


def test_a_stage_that_cannot_be_removed_at_once_is_removed_later(bench: Bench) -> None:
    bench.world.fail("stage.remove_all", PlatformError("engine.refused", "Removal is in progress."), times=3)
    assert bench.run().run.verdict is Verdict.COMMITTED


def test_a_stage_that_stays_is_a_failure_with_its_names(bench: Bench) -> None:
    refusal = PlatformError("engine.refused", "It is in use.")
    bench.world.happen("stage.open", lambda: bench.world.fail("stage.remove_all", refusal, times=1000))
    report = bench.run()
    assert report.run.verdict is Verdict.REFUSED
    assert "could not be removed: stage of r-" in report.run.reason


def test_the_logs_of_the_rehearsal_are_in_the_folder_of_the_run(bench: Bench, tmp_path: Path) -> None:
    bench.run("v1.2.0")
    bench.run("v1.3.0")
    assert len(list(tmp_path.rglob("rehearse-migrate.log"))) == 2
    (said,) = tmp_path.rglob("rehearse-app.log")
    assert said.read_text()


def test_a_confirmation_after_the_rehearsal_shows_what_to_expect(tmp_path: Path) -> None:
    states = build_standard_states()
    states["preflight"] = {"kind": "preflight", "then": {"done": "prefetch", "failed": "refused"}}
    states["rehearse"] = {"kind": "rehearse", "then": {"done": "confirm", "failed": "refused"}}
    states["confirm"] = {"kind": "confirm", "then": {"accepted": "stop", "declined": "refused", "failed": "refused"}}
    operator = FakeOperator(False)
    bench = Bench(tmp_path, f"initial: check\nstates: {json.dumps(states)}\n", operator=operator)
    assert bench.run(force=False).run.verdict is Verdict.REFUSED
    (line,) = [line for line in operator.questions[0].lines if "rehearsed" in line]
    assert line.startswith("outage about ")
    assert "; a table was locked for 1." in line
    assert "workloads.stop_services" not in bench.world.chain()


def test_what_an_engine_that_went_away_has_kept_of_a_rehearsal_is_removed_by_the_next_one(bench: Bench) -> None:
    world, lost = bench.world, ("stage.", "workloads.inspect_engine", "images.find")
    gone = PlatformError("engine.unreachable", "The engine does not answer.")
    world.happen("stage.open", lambda: world.script.refuse(lost, gone), when="after")
    first = bench.run()
    assert first.run.verdict is Verdict.REFUSED
    assert "may still be there; the next one removes it" in first.run.reason
    assert list(world.stages) == [first.run.id]
    world.script.allow(lost)
    world.clock.advance(60)
    assert bench.run().run.verdict is Verdict.COMMITTED
    assert world.stages == {}
