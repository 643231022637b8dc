"""A run that was cut off is found by its journal, and its plan is the one that was confirmed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.adapters.compose.project_files import is_environment, read_marks
from orchestrator.core.errors import JournalError, PlanError
from orchestrator.core.model.verdict import Verdict
from orchestrator.journal import database_file
from orchestrator.journal.journal import Journal
from orchestrator.machine.resume import Mode
from orchestrator.redaction.redactor import Redactor
from orchestrator.reports.report import RunReport
from orchestrator.run.listener import Listener
from orchestrator.run.recovery import Takeover
from orchestrator.wiring import build_takeover, find_unfinished_run
from states.registry import KINDS
from tests.tools.bench import WITHOUT_REHEARSAL, Bench
from tests.tools.build import make_ports
from tests.tools.outside import FakeOperator
from tests.tools.script import Killed


def kill(bench: Bench, method: str, version: str) -> None:
    bench.world.happen(method, lambda: bench.world.script.die_at(0, "before"), when="after")
    with pytest.raises(Killed):
        bench.run(version)
    bench.world.script.revive()


@pytest.fixture
def cut_off(tmp_path: Path) -> Bench:
    """A run was cut off; its plan is a file in the project's folder."""
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    project = bench.world.project_directory
    bench.plan = replace(bench.plan, source=project / "upgrade.yaml")
    bench.service = replace(bench.service, plan=bench.plan)
    bench.plan.source.write_text(bench.plan.text, encoding="utf-8")
    (project / ".env").write_text("APP_VERSION=v1.0.0\n", encoding="utf-8")
    kill(bench, "database.copy", "v1.1.0")
    return bench


@pytest.mark.parametrize("text", ["", "states: {", "plan: 1\n", "moved"])
def test_a_plan_that_was_broken_after_a_crash_does_not_keep_the_run_from_its_end(cut_off: Bench, text: str) -> None:
    live, plan = cut_off.plan.source, cut_off.plan
    moved = plan.text.replace(f"project: {plan.target.project}", "project: /elsewhere")
    live.write_text(moved if text == "moved" else text, encoding="utf-8")
    found = find_unfinished_run(live)
    assert found is not None
    found.journal.close()
    assert (found.plan.text, found.plan.journal_directory) == (plan.text, plan.journal_directory)


def test_the_plan_of_the_run_is_found_wherever_it_is_called_from(
    cut_off: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    found = build_takeover(cut_off.plan.source, FakeOperator())
    assert found.journal is not None
    found.journal.close()
    assert found.plan.target.project == cut_off.plan.target.project


class Verifications:
    """Counts how often a journal is read in full to see that it is whole."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        find = database_file._find_problem

        def count(connection: sqlite3.Connection, version: int) -> str:
            self.count += 1
            return find(connection, version)

        monkeypatch.setattr(database_file, "_find_problem", count)


def take_up_found(bench: Bench) -> RunReport | None:
    found = find_unfinished_run(bench.plan.source)
    assert found is not None
    way = Takeover(found.plan, KINDS, make_ports(bench.world), journal=found.journal)
    return way.take_up(Mode.RECOVER, announce=lambda run, move: None, listener=Listener())


def test_a_command_that_takes_a_run_up_verifies_its_journal_once(
    cut_off: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifications = Verifications(monkeypatch)
    report = take_up_found(cut_off)
    assert report is not None
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert verifications.count == 1


def test_a_journal_that_was_written_to_before_the_lock_was_held_is_verified_again(
    cut_off: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifications = Verifications(monkeypatch)
    found = find_unfinished_run(cut_off.plan.source)
    assert found is not None
    with closing(Journal.open(found.plan.journal_directory)) as other:
        other.append(other.runs()[0].id, cut_off.world.clock.now(), "noted", "", {"text": "Somebody else."})
    found.journal.go_on(Redactor()).close()
    assert verifications.count == 3


def test_a_copy_of_the_plan_that_was_edited_is_not_followed(cut_off: Bench) -> None:
    with closing(Journal.open(cut_off.plan.journal_directory)) as journal:
        (run,) = journal.runs()
    copy = cut_off.plan.journal_directory / "runs" / run.id / "plan.yaml"
    copy.write_text(copy.read_text().replace("name: ledger", "name: legder"))
    with pytest.raises(JournalError) as caught:
        find_unfinished_run(cut_off.plan.source)
    assert caught.value.exit_code == 70


def test_a_copy_of_the_env_that_was_edited_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("APP_VERSION=v1\nA=1\n")
    marks = read_marks(tmp_path, "APP_VERSION")
    assert is_environment(b"APP_VERSION=v2\nA=1\n", marks, tmp_path, "APP_VERSION")
    assert not is_environment(b"APP_VERSION=v1\nA=2\n", marks, tmp_path, "APP_VERSION")
    assert is_environment(b"anything", {}, tmp_path, "APP_VERSION")


def test_without_a_run_a_broken_plan_is_what_is_told(tmp_path: Path) -> None:
    (tmp_path / "upgrade.yaml").write_text("states: {")
    with pytest.raises(PlanError):
        build_takeover(tmp_path / "upgrade.yaml", FakeOperator())
