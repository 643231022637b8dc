"""Each unmet precondition is reported, all at once, with its remedy; nothing is left of the trial."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.checker.findings import check_plan
from orchestrator.core.deadline import Interruption
from orchestrator.core.errors import DatabaseError, PlatformError, ReleaseError
from orchestrator.doctor.check_runner import Check, CheckResult, Status, is_healthy, run_checks, to_document
from orchestrator.doctor.live_checks import LiveChecks
from orchestrator.doctor.remedies import choose_remedy
from orchestrator.journal.journal import Journal
from orchestrator.journal.lock import project_lock
from orchestrator.redaction.redactor import Redactor
from states.registry import KINDS
from tests.faults.invariants.evidence import Things
from tests.tools.bench import Bench
from tests.tools.build import RECOVERY, make_ports


def look(bench: Bench, folder: Path) -> dict[str, CheckResult]:
    folder = folder / "trial"
    folder.mkdir()
    plan_findings = check_plan(bench.plan, KINDS)
    live_checks = LiveChecks(bench.plan, KINDS, make_ports(bench.world), plan_findings, folder, Interruption())
    return {finding.name: finding for finding in run_checks(bench.plan, RECOVERY, live_checks.checks())}


def find(found: dict[str, CheckResult], status: Status) -> set[str]:
    return {name for name, finding in found.items() if finding.status is status}


def test_all_is_well_and_nothing_is_left(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    found = look(bench, tmp_path)
    assert find(found, Status.OK) == found.keys()
    assert is_healthy(list(found.values()))
    assert Things.of(bench.world) == bench.before
    assert bench.world.stages == {}
    assert not (bench.plan.journal_directory).exists()
    assert json.loads(json.dumps(to_document(list(found.values()))))["healthy"] is True


def engine_is_away(bench: Bench) -> None:
    bench.world.fail("workloads.inspect_engine", PlatformError("engine.unreachable", "No engine."), times=9)


def role_may_not_create(bench: Bench) -> None:
    bench.world.fail("database.restore", DatabaseError("database.failed", "permission denied"), times=9)


def database_is_down(bench: Bench) -> None:
    bench.world.fail("database.inspect", DatabaseError("database.unreachable", "It is down."), times=9)


def feed_is_away(bench: Bench) -> None:
    bench.world.fail("feed.list_releases", ReleaseError("releases.unreachable", "No answer."), times=9)


def pin_cannot_be_written(bench: Bench) -> None:
    bench.world.pin_writable = False


def folder_cannot_be_written(bench: Bench) -> None:
    bench.world.backup_problem = "Read-only file system"


def no_room_for_a_copy(bench: Bench) -> None:
    bench.world.database_free_bytes = 1000


def no_scratch_server(bench: Bench) -> None:
    bench.world.fail("stage.open", PlatformError("stage.database_failed", "It does not start."), times=9)


@pytest.mark.parametrize(
    ("break_it", "failed", "skipped"),
    [
        (engine_is_away, "engine", {"services", "database", "rehearsal", "room for images"}),
        (role_may_not_create, "database rights", set()),
        (database_is_down, "database", {"database rights", "room for the copy", "rehearsal"}),
        (feed_is_away, "releases", set()),
        (pin_cannot_be_written, "version variable", set()),
        (folder_cannot_be_written, "backup folder", {"room for backups"}),
        (no_room_for_a_copy, "room for the copy", set()),
        (no_scratch_server, "rehearsal", set()),
    ],
)
def test_failed_check_is_reported_and_its_dependents_are_skipped(
    tmp_path: Path, break_it: Callable[[Bench], None], failed: str, skipped: set[str]
) -> None:
    bench = Bench(tmp_path)
    break_it(bench)
    found = look(bench, tmp_path)
    assert find(found, Status.FAILED) == {failed}
    assert skipped <= find(found, Status.SKIPPED)
    assert not is_healthy(list(found.values()))
    assert bench.world.databases.keys() == {bench.world.live}


def test_two_failed_checks_are_both_reported(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    pin_cannot_be_written(bench)
    folder_cannot_be_written(bench)
    assert find(look(bench, tmp_path), Status.FAILED) == {"version variable", "backup folder"}


def test_a_run_that_is_at_work_and_one_that_was_cut_off_are_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    run = bench.run("v1.1.0").run
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        journal.begin(replace(run, id="r-cut", verdict=None), tool_version="0")
    with project_lock(bench.plan.target.project / ".orchestrator", run_id="r-other"):
        found = look(bench, tmp_path)
    assert find(found, Status.FAILED) == {"lock", "unfinished run"}
    assert "r-other" in found["lock"].summary
    assert "r-cut" in found["unfinished run"].summary
    assert found["unfinished run"].remedy == f"orchestrator recover {bench.plan.source}"


def test_a_journal_that_is_damaged_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run("v1.1.0")
    (bench.plan.journal_directory / "journal.sqlite3").write_bytes(b"no database")
    found = look(bench, tmp_path)
    assert found["journal"].code.startswith("journal.")
    assert found["unfinished run"].status is Status.SKIPPED


def test_a_journal_that_others_may_write_is_not_trusted(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run("v1.1.0")
    bench.plan.journal_directory.chmod(0o777)
    found = look(bench, tmp_path)
    assert found["journal"].code == "journal.not_private"
    assert found["journal"].remedy.startswith("chmod -R go-w ")


def test_a_clock_that_is_behind_is_a_warning(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run("v1.1.0")
    bench.world.clock.set_back(86400)
    found = look(bench, tmp_path)
    assert find(found, Status.WARNING) == {"clock"}
    assert is_healthy(list(found.values()))


def test_a_folder_of_backups_that_others_may_look_into_is_a_warning(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.world.backup_directory.mkdir(exist_ok=True)
    bench.world.backup_directory.chmod(0o755)
    assert look(bench, tmp_path)["backup folder"].remedy == f"chmod 700 {bench.world.backup_directory}"


def test_check_runs_after_the_checks_it_needs(tmp_path: Path) -> None:
    def fail() -> str:
        raise PlatformError("engine.unreachable", "No.")

    checks = [Check("one", fail), Check("two", lambda: "well", ("one",)), Check("three", lambda: "well", ("two",))]
    found = [(finding.status, finding.summary) for finding in run_checks(Bench(tmp_path).plan, RECOVERY, checks)]
    assert [status for status, _ in found] == [Status.FAILED, Status.SKIPPED, Status.SKIPPED]
    assert [what for _, what in found[1:]] == ["not tried: it needs one", "not tried: it needs two"]


def test_every_remedy_can_be_pasted(tmp_path: Path) -> None:
    plan = Bench(tmp_path).plan
    assert choose_remedy("engine.unreachable", plan, RECOVERY) == "sudo systemctl start docker"
    assert choose_remedy("image.denied", plan, RECOVERY) == "docker login registry.example"
    assert choose_remedy("database.locked", plan, RECOVERY).endswith("logs --tail 50 db")
    assert choose_remedy("nothing.known", plan, RECOVERY) == ""


def test_password_that_is_a_name_is_a_warning(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    mask = Redactor()
    mask.register(["kinto"], "service db")
    mask.protect({"kinto": "database"})
    (tmp_path / "trial").mkdir()
    world = replace(make_ports(bench.world), mask=mask)
    live_checks = LiveChecks(bench.plan, KINDS, world, (), tmp_path / "trial", Interruption())
    found = {finding.name: finding for finding in run_checks(bench.plan, RECOVERY, live_checks.checks())}
    assert found["secrets"].status is Status.WARNING
    assert "password of service db is also the name of a database, kinto" in found["secrets"].summary
    assert is_healthy(list(found.values()))


def test_variable_with_a_part_of_the_running_version_is_reported(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.world.pin = "v1.0"
    found = look(bench, tmp_path)["version"]
    assert (found.status, found.code) == (Status.FAILED, "refused.pin_differs")
    assert found.remedy == f"grep -n APP_VERSION {bench.plan.target.project}/.env"
