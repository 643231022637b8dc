"""What an operator is told to paste when an upgrade cannot bring a version back by itself."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from orchestrator.errors import BackupError, DatabaseError, PlatformError
from orchestrator.facts import Facts
from orchestrator.model import Verdict
from orchestrator.report import RunReport
from orchestrator.runbook import build_runbook
from tests.fakes.bench import WITHOUT_REHEARSAL, Bench

NO_ENGINE = PlatformError("engine.unreachable", "The engine does not answer.")
NO_SWAP = DatabaseError("database.swap_failed", "No.")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.users_write(3)
    return bench


def stranded(bench: Bench, version: str, *, retry: bool = False) -> RunReport:
    report = bench.run(version, retry=retry)
    assert report.run.verdict is Verdict.NEEDS_OPERATOR
    return report


def programs(steps: tuple[str, ...]) -> list[str]:
    """What the steps call, each line as a shell would split it."""
    words = (shlex.split(step, comments=True) for step in steps)
    return [line[4] if line[:2] == ["docker", "compose"] else line[0] for line in words if line]


def lose_the_snapshot(bench: Bench) -> None:
    for name in [name for name in bench.world.databases if "snapshot" in name]:
        del bench.world.databases[name]


def test_a_swap_that_failed_is_done_by_hand_before_the_old_version_is_let_in(bench: Bench) -> None:
    bench.world.fail("database.swap", NO_SWAP)
    steps = stranded(bench, "v1.2.0").next_steps
    assert programs(steps) == [
        "stop",
        "up",
        "exec",
        "up",
        "exec",
        "sed",
        "docker",
        "up",
        "ps",
    ]
    swap = next(step for step in steps if "RENAME TO" in step)
    assert swap.index('"ledger" RENAME TO "ledger__failed_') < swap.rindex("__snapshot_")
    assert " -U app -d postgres " in swap
    assert all(step.endswith(" </dev/null") for step in steps if " exec " in step)
    assert steps.index(swap) < next(n for n, step in enumerate(steps) if '"ledger" ALLOW_CONNECTIONS true' in step)


def test_without_a_snapshot_and_a_backup_that_is_whole_an_older_one_is_loaded_by_hand(bench: Bench) -> None:
    bench.world.fail("platform.start_job", PlatformError("job.failed", "No."))
    earlier = bench.run("v1.2.0")
    assert earlier.run.verdict is Verdict.ROLLED_BACK
    assert earlier.backup is not None

    def damage() -> None:
        lose_the_snapshot(bench)
        bench.world.fail("backups.prove", BackupError("backup.damaged", "Damaged."), times=2)

    bench.world.happen("platform.remove_job", damage)
    steps = stranded(bench, "v1.2.0", retry=True).next_steps
    loading = next(step for step in steps if "gunzip" in step)
    assert str(earlier.backup.path) in loading
    assert any("sha256sum --check" in step for step in steps)
    assert any("what was written since is in what is set aside" in step for step in steps)


def test_without_any_copy_that_is_whole_the_operator_is_told_which_file_to_put_back(bench: Bench) -> None:
    def damage() -> None:
        lose_the_snapshot(bench)
        bench.world.fail("backups.prove", BackupError("backup.damaged", "Damaged."), times=9)

    bench.world.happen("platform.remove_job", damage)
    steps = stranded(bench, "v1.2.0").next_steps
    assert any("no backup on this host reads back whole" in step for step in steps)


def test_a_rollback_that_failed_does_not_take_the_data_back_a_second_time(bench: Bench) -> None:
    bench.world.happen("platform.remove_job", lambda: bench.world.fail("platform.start_services", NO_ENGINE, times=999))
    steps = stranded(bench, "v1.2.0").next_steps
    assert not any("RENAME TO" in step for step in steps)
    assert any("ALLOW_CONNECTIONS true" in step for step in steps)


def test_an_upgrade_that_never_wrote_swaps_nothing(bench: Bench) -> None:
    bench.world.fail("database.copy", DatabaseError("database.in_use", "Somebody is there."), when="after")
    bench.world.fail("platform.start_services", NO_ENGINE, times=999)
    steps = stranded(bench, "v1.1.0").next_steps
    assert not any("RENAME TO" in step for step in steps)


def test_after_the_commit_the_way_leads_forward(bench: Bench) -> None:
    def shut() -> None:
        bench.world.fail("platform.start_services", NO_ENGINE, times=9999)

    bench.world.happen("platform.start_services", shut, when="after")
    steps = stranded(bench, "v1.1.0").next_steps
    assert "v1.1.0 is committed and stays" in steps[0]
    assert not any("RENAME" in step or " stop " in step for step in steps)
    assert any("APP_VERSION" in step and "v1.1.0@sha256:" in step for step in steps)


def test_a_run_that_was_cut_off_before_it_knew_anything_has_a_look_for_a_runbook() -> None:
    (step,) = build_runbook("r-1", Facts(), ())
    assert step.startswith("docker compose ps")
