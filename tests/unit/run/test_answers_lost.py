"""An answer that is lost, or a look that fails behind a deed, leaves no writer at work and no copy unnamed."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.errors import DatabaseError, PlatformError
from orchestrator.core.model.verdict import Verdict
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version

AWAY = PlatformError("engine.unreachable", "The engine does not answer.")
REFUSED = PlatformError("engine.refused", "The engine could not do it.")


def test_a_migration_is_waited_for_again_when_the_engine_is_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.fail("workloads.wait_job", AWAY)
    assert bench.run("v1.1.0").run.verdict is Verdict.COMMITTED


@pytest.mark.parametrize(("method", "when"), [("workloads.start_job", "after"), ("workloads.wait_job", "before")])
def test_a_migration_of_which_nothing_is_heard_is_ended_before_the_way_back(
    tmp_path: Path, method: str, when: str
) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.users_write(3)
    bench.world.fail(method, REFUSED, when="after" if when == "after" else "before")
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert bench.world.chain().index("workloads.stop_job") < bench.world.chain().index("database.swap")
    assert bench.world.jobs == {}
    assert serving_version(bench.world) == "v1.0.0"
    assert bench.world.missing() == []


@pytest.mark.parametrize("method", ["workloads.save_job_log", "workloads.remove_job"])
def test_finished_migration_stays_done_when_its_container_cannot_be_removed(tmp_path: Path, method: str) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.fail(method, REFUSED, times=9)
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.COMMITTED
    (container,) = bench.world.jobs
    assert [line.state for line in report.states if container in line.reason] == ["migrate"]


def test_a_copy_that_cannot_be_compared_is_not_left_behind(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    locked = DatabaseError("database.locked", "The catalog is locked.")
    bench.world.happen("database.copy", lambda: bench.world.fail("database.properties", locked), when="after")
    assert bench.run("v1.1.0").run.verdict is Verdict.ROLLED_BACK
    assert list(bench.world.databases) == ["ledger"]


def test_what_was_done_is_told_where_nobody_could_look_at_it_afterwards(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.happen("database.copy", lambda: bench.world.fail("workloads.inspect_services", REFUSED), when="after")
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert report.snapshot in bench.world.databases
