"""The commands for an operator when an upgrade cannot bring a version back by itself."""

from __future__ import annotations

import shlex
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.adapters.compose.recovery_lines import ProjectLines
from orchestrator.cli.render import render_error
from orchestrator.core.errors import BackupError, DatabaseError, PlatformError, UnfinishedRunError
from orchestrator.core.facts import Facts, FrozenProject
from orchestrator.core.model.verdict import Verdict
from orchestrator.journal.journal import Journal
from orchestrator.reports.report import RunReport
from orchestrator.reports.runbook import build_runbook
from tests.tools.bench import WITHOUT_REHEARSAL, Bench
from tests.tools.build import RECOVERY
from tests.tools.runbook_shapes import PROVEN, find_shape

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


def lose_the_snapshot(bench: Bench) -> None:
    for name in [name for name in bench.world.databases if "snapshot" in name]:
        del bench.world.databases[name]


def test_runbook_swaps_before_it_unlocks_the_database_when_the_swap_failed(bench: Bench) -> None:
    bench.world.fail("database.swap", NO_SWAP)
    steps = stranded(bench, "v1.2.0").next_steps
    assert PROVEN[find_shape(steps)] == "swap, tag"
    swap = next(step for step in steps if "RENAME TO" in step)
    assert swap.index('"ledger" RENAME TO "ledger__aside_') < swap.rindex("__snapshot_")
    assert " -U app -d postgres " in swap
    assert all(step.endswith(" </dev/null") for step in steps if " exec " in step)
    assert steps.index(swap) < next(n for n, step in enumerate(steps) if '"ledger" ALLOW_CONNECTIONS true' in step)


def test_runbook_loads_an_older_backup_when_snapshot_and_newest_backup_are_lost(bench: Bench) -> None:
    bench.world.fail("workloads.start_job", PlatformError("job.failed", "No."))
    earlier = bench.run("v1.2.0")
    assert earlier.run.verdict is Verdict.ROLLED_BACK
    assert earlier.backup is not None

    def damage() -> None:
        lose_the_snapshot(bench)
        bench.world.fail("backups.prove", BackupError("backup.damaged", "Damaged."), times=2)

    bench.world.happen("workloads.remove_job", damage)
    steps = stranded(bench, "v1.2.0", retry=True).next_steps
    loading = next(step for step in steps if "gunzip" in step)
    assert str(earlier.backup.path) in loading
    assert any("sha256sum --check" in step for step in steps)
    assert any("what was written since is in what is set aside" in step for step in steps)


def test_runbook_names_the_file_to_bring_back_when_no_backup_reads_back_whole(bench: Bench) -> None:
    def damage() -> None:
        lose_the_snapshot(bench)
        bench.world.fail("backups.prove", BackupError("backup.damaged", "Damaged."), times=9)

    bench.world.happen("workloads.remove_job", damage)
    steps = stranded(bench, "v1.2.0").next_steps
    assert any("no backup on this host reads back whole" in step for step in steps)


def test_runbook_does_not_swap_again_when_only_the_rollback_failed(bench: Bench) -> None:
    bench.world.happen(
        "workloads.remove_job", lambda: bench.world.fail("workloads.start_services", NO_ENGINE, times=999)
    )
    steps = stranded(bench, "v1.2.0").next_steps
    assert not any("RENAME TO" in step for step in steps)
    assert any("ALLOW_CONNECTIONS true" in step for step in steps)


def test_runbook_does_not_swap_when_nothing_can_have_been_written(bench: Bench) -> None:
    bench.world.fail("database.copy", DatabaseError("database.in_use", "Somebody is there."), when="after")
    bench.world.fail("workloads.start_services", NO_ENGINE, times=999)
    steps = stranded(bench, "v1.1.0").next_steps
    assert not any("RENAME TO" in step for step in steps)


def test_runbook_leads_forward_when_the_new_version_is_committed(bench: Bench) -> None:
    def shut() -> None:
        bench.world.fail("workloads.start_services", NO_ENGINE, times=9999)

    bench.world.happen("workloads.start_services", shut, when="after")
    steps = stranded(bench, "v1.1.0").next_steps
    assert "v1.1.0 is committed and stays" in steps[0]
    assert steps[1].startswith("# first put right what is named on this host")
    assert not any("RENAME" in step or " stop " in step for step in steps)
    assert any("APP_VERSION" in step and "v1.1.0@sha256:" in step for step in steps)


def test_runbook_shows_what_runs_when_the_run_knows_nothing_yet() -> None:
    (step,) = build_runbook("r-1", Facts(), (), RECOVERY)
    assert step.startswith("docker ps")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A=v2@sha256:ab\n", "A=v1\n"),
        ("A='v2' # x\n", "A='v1' # x\n"),
        ('  export A = "v2"  # why\n', '  export A = "v1"  # why\n'),
        ("A=v0\nAA=v2\nA=v2\nA_B=v2\n", "A=v0\nAA=v2\nA=v1\nA_B=v2\n"),
        ("# A=v2\nA=\n", "# A=v2\nA=v1\n"),
        ("B=v2\n", "B=v2\n"),
    ],
)
def test_pin_line_keeps_every_other_byte_of_the_file(tmp_path: Path, before: str, after: str) -> None:
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    real, env = tmp_path / "real", folder / ".env"
    real.write_text(before, encoding="utf-8")
    env.symlink_to(real)
    project = FrozenProject(
        name="p", directory=folder, template=folder / "t", template_sha256="", pin_text="v1", services=(), variable="A"
    )
    line = ProjectLines(project).pin("v1")
    subprocess.run(["bash", "-e"], input=line, text=True, check=True)
    assert (real.read_text(encoding="utf-8"), env.is_symlink()) == (after, True)


def test_runbook_lines_parse_in_a_shell(bench: Bench) -> None:
    bench.world.fail("database.swap", NO_SWAP)
    steps = stranded(bench, "v1.2.0").next_steps
    subprocess.run(["bash", "-n"], input="\n".join(steps), text=True, check=True)
    assert all(set(step) & set("'\"`();&|<>!") == set() for step in steps if step.startswith("#"))


def test_documentation_has_every_runbook_that_a_test_pastes() -> None:
    page = (Path(__file__).parents[3] / "docs" / "runbooks.md").read_text(encoding="utf-8")
    missing = [case for case in PROVEN.values() if f"| {case.partition(', ')[0]} |" not in page]
    assert missing == []


def test_runbook_only_shows_the_app_when_the_run_was_cut_off_before_the_stop(bench: Bench) -> None:
    report = bench.run("v1.1.0")
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        records = journal.records(report.run.id)
    cut = next(number for number, record in enumerate(records) if record.state == "stop")
    facts = Facts()
    for record in records[:cut]:
        facts = facts.joined(Facts(record.payload.get("facts")))
    (step,) = build_runbook(report.run.id, facts, records[:cut], RECOVERY)
    assert shlex.split(step)[-1] == "ps"


@pytest.mark.parametrize(("changes", "written"), [("nothing", False), ("app", False), ("database", True)])
def test_runbook_swaps_after_an_operators_command_when_it_may_change_the_database(
    bench: Bench, changes: str, written: bool
) -> None:
    bench.world.fail("database.copy", DatabaseError("database.in_use", "Somebody is there."), when="after")
    bench.world.fail("workloads.start_services", NO_ENGINE, times=999)
    run_id = stranded(bench, "v1.1.0").run.id
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        facts, records = journal.facts(run_id), journal.records(run_id)
    step = replace(records[-1], record="entered", state="mine", payload={"kind": "command", "changes": changes})
    steps = build_runbook(run_id, facts, (*records, step), RECOVERY)
    assert any("RENAME TO" in line for line in steps) is written


def test_error_of_an_unfinished_run_cuts_no_line_of_the_runbook(bench: Bench) -> None:
    bench.world.fail("database.swap", NO_SWAP)
    steps = stranded(bench, "v1.2.0").next_steps
    told = render_error(UnfinishedRunError("run.unfinished", "It has no end.", hint="\n".join(steps)))
    assert max(map(len, steps)) > 400
    assert all(step in told for step in steps)
