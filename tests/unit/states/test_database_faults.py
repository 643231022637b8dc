"""A database server that is away for a moment, and what a migration leaves where no counter sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.errors import DatabaseError
from orchestrator.core.model.stores import Session
from orchestrator.core.model.verdict import Verdict
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version

AWAY = DatabaseError("database.unreachable", "The server is gone.", hint="Start it.")
FULL = DatabaseError("database.full", "There is no connection left.")
ORPHAN = Session(pid=79, user="app", application="migrator", address="172.30.0.99", active=True)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, WITHOUT_REHEARSAL)


@pytest.mark.parametrize("error", [AWAY, FULL])
@pytest.mark.parametrize("method", ["fence", "mark", "terminate_sessions", "swap", "unfence"])
def test_a_server_that_comes_back_does_not_keep_the_old_version_from_coming_back(
    bench: Bench, method: str, error: DatabaseError
) -> None:
    bench.world.happen(
        "workloads.remove_job", lambda: bench.world.fail(f"database.{method}", error, times=30), when="after"
    )
    report = bench.run("v1.2.0")
    assert report.run.verdict is Verdict.ROLLED_BACK, report.run.reason
    assert serving_version(bench.world) == "v1.0.0"
    assert not bench.world.databases["ledger"].fenced
    assert bench.world.missing() == []


def test_a_server_that_stays_away_is_waited_for_a_while_and_then_needs_the_operator(bench: Bench) -> None:
    bench.world.happen("workloads.start_job", lambda: setattr(bench.world, "database_up", False), when="after")
    report = bench.run("v1.2.0")
    assert report.run.verdict is Verdict.NEEDS_OPERATOR
    assert report.stuck is not None
    assert "Waiting for the database server was not done within 120 s" in report.stuck.reason
    assert "does not answer" in report.stuck.reason


def test_other_errors_of_the_server_are_not_tried_again(bench: Bench) -> None:
    bench.world.fail("database.swap", DatabaseError("database.swap_failed", "No."))
    assert bench.run("v1.2.0").run.verdict is Verdict.NEEDS_OPERATOR
    assert bench.world.chain().count("database.swap") <= 1


def test_a_migration_that_is_over_but_still_at_work_in_the_database_has_failed(bench: Bench) -> None:
    bench.world.happen(
        "workloads.remove_job", lambda: bench.world.databases["ledger"].sessions.append(ORPHAN), when="after"
    )
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert "exit code 0, but app (migrator 79) was still at work" in report.run.reason
    assert bench.world.databases["ledger"].sessions == []
    assert serving_version(bench.world) == "v1.0.0"


def test_a_session_that_is_about_to_end_after_a_migration_is_waited_for(bench: Bench) -> None:
    ledger = bench.world.databases["ledger"]
    looks = iter(range(1000))

    def look() -> None:
        ledger.sessions = [ORPHAN] if next(looks) < 10 else []

    bench.world.happen(
        "workloads.remove_job", lambda: bench.world.happen("database.sessions", look, times=1000), when="after"
    )
    assert bench.run("v1.1.0").run.verdict is Verdict.COMMITTED


def test_a_changed_setting_of_the_database_is_swapped_away(bench: Bench) -> None:
    def migrate(database: object) -> int:
        bench.world.databases["ledger"].owner = "somebody else"
        return 1

    bench.world.releases["v1.2.0"].migrate = migrate
    report = bench.run("v1.2.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert len(report.quarantine) == 1
    assert bench.world.databases["ledger"].owner != "somebody else"


def test_a_server_restarted_before_the_migration_is_told_from_a_write(bench: Bench) -> None:
    def restart() -> None:
        bench.world.server_began = "another beginning"

    bench.world.happen("database.copy", restart, when="after")
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert "was restarted after ledger was copied" in report.run.reason
    assert serving_version(bench.world) == "v1.0.0"


@pytest.mark.parametrize(("ill_for_looks", "verdict"), [(20, Verdict.ROLLED_BACK), (9999, Verdict.NEEDS_OPERATOR)])
def test_a_server_that_restarts_as_the_old_version_is_looked_at_once_more_takes_it_along_for_a_moment(
    tmp_path: Path, ill_for_looks: int, verdict: Verdict
) -> None:
    def count_looks(folder: Path, ill_at: int) -> tuple[int, Verdict | None]:
        folder.mkdir()
        bench = Bench(folder, WITHOUT_REHEARSAL)
        old, looks = bench.world.releases["v1.0.0"], 0
        well = old.healthy_after_s

        def look() -> None:
            nonlocal looks
            looks += 1
            old.healthy_after_s = None if ill_at <= looks < ill_at + ill_for_looks else well

        bench.world.happen("workloads.inspect_services", look, times=99999)
        report = bench.run("v1.2.0")
        return looks, report.run.verdict

    last, undisturbed = count_looks(tmp_path / "undisturbed", 99999)
    assert undisturbed is Verdict.ROLLED_BACK
    assert count_looks(tmp_path / "disturbed", last)[1] is verdict
