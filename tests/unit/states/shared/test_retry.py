"""A service that is away for a moment is waited for where the step may be repeated; a refusal is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.errors import DatabaseError, PlatformError
from orchestrator.core.model.verdict import Verdict
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version

NO_SERVER = DatabaseError("database.unreachable", "The server does not answer.")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.users_write(3)
    return bench


def test_an_outage_at_the_end_of_long_work_is_still_waited_for(bench: Bench) -> None:
    bench.world.happen("database.dump", lambda: bench.world.clock.advance(1800))
    bench.world.fail("backups.prove", NO_SERVER)
    assert bench.run("v1.1.0").run.verdict is Verdict.COMMITTED


def test_an_outage_that_comes_again_and_again_is_not_waited_for_for_ever(bench: Bench) -> None:
    bench.world.happen("database.dump", lambda: bench.world.clock.advance(100), times=99)
    bench.world.fail("database.dump", NO_SERVER, times=99)
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.REFUSED
    assert "Waiting for the database server was not done within 120 s" in report.run.reason
    assert bench.world.chain().count("backups.write") <= 3


@pytest.mark.parametrize("error", [DatabaseError("database.failed", "No."), PlatformError("engine.refused", "No.")])
def test_what_is_refused_is_not_tried_again(bench: Bench, error: Exception) -> None:
    bench.world.fail("database.copy", error)
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert bench.world.chain().count("database.copy") == 1


@pytest.mark.parametrize("code", ["compose.failed", "engine.refused", "engine.unreachable"])
def test_on_the_way_back_a_start_that_fails_is_tried_again(bench: Bench, code: str) -> None:
    no_start = PlatformError(code, "No.")
    bench.world.happen(
        "database.swap", lambda: bench.world.fail("workloads.start_services", no_start, times=9), when="after"
    )
    report = bench.run("v1.2.0")
    assert report.run.verdict is Verdict.ROLLED_BACK, report.stuck
    assert serving_version(bench.world) == "v1.0.0"


def test_a_copy_of_an_earlier_attempt_does_not_keep_the_stop_from_being_repeated(bench: Bench) -> None:
    bench.world.happen("database.copy", lambda: bench.world.fail("database.properties", NO_SERVER), when="after")
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.COMMITTED, report.run.reason
    assert bench.world.chain().count("database.copy") == 2
    assert [name for name in bench.world.databases if "__snapshot_" in name] == [report.snapshot]
