"""The journal keeps what it was told, in order, and says when it cannot."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.core.errors import JournalError
from orchestrator.core.facts import Known
from orchestrator.core.ledger import Artifact, ArtifactKind, Ledger
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.store_facts import BackupManifest
from orchestrator.journal.database_file import FORMAT
from orchestrator.journal.history import JournalHistory
from orchestrator.journal.journal import Journal, Run
from tests.tools import words

NOW = datetime(2026, 1, 30, 14, 30, 22, tzinfo=UTC)


def make_run(run_id: str = "r-1", began_at: datetime = NOW) -> Run:
    return Run(
        id=run_id, plan_name="app", plan_sha256="0" * 64, plan_source="/plan.yaml", pid=1, boot_id="b",
        request={"version": None}, began_at=began_at, ended_at=None, verdict=None, end_state=None, exit_code=None,
        reason="",
    )  # fmt: skip


def make_receipt(name: str, day: int) -> BackupManifest:
    return words.make_receipt(Path("/backups") / name, NOW.replace(day=day))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal.open(tmp_path / "state")) as opened:
        yield opened


def test_records_come_back_in_the_order_in_which_they_were_written(journal: Journal) -> None:
    journal.begin(make_run(), tool_version="0")
    journal.append("r-1", NOW, "entered", "check", {"kind": "check"})
    journal.append("r-1", NOW, "left", "check", {"outcome": "newer", "facts": {}})
    assert [(r.seq, r.record, r.payload) for r in journal.records("r-1")] == [
        (1, "entered", {"kind": "check"}),
        (2, "left", {"outcome": "newer", "facts": {}}),
    ]


def test_every_commit_is_synchronous_and_the_file_is_private(journal: Journal) -> None:
    connection = journal._connection
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert journal.path.parent.stat().st_mode & 0o777 == 0o700


def test_what_one_process_has_written_another_one_reads(journal: Journal) -> None:
    journal.begin(make_run(), tool_version="0")
    journal.append("r-1", NOW, "entered", "check", {"kind": "check"})
    with closing(Journal.open(journal.path.parent)) as other:
        unfinished = other.find_unfinished()
        assert unfinished is not None
        assert unfinished.id == "r-1"
        assert len(other.records("r-1")) == 1


def test_a_clock_that_goes_back_is_noted_once(journal: Journal) -> None:
    journal.begin(make_run(), tool_version="0")
    for minutes in (0, 10, 9.5, 3, 4):
        journal.append("r-1", NOW + timedelta(minutes=minutes), "entered", "check", {"kind": "check"})
    (note,) = [record for record in journal.records("r-1") if record.record == "noted"]
    assert "The clock went back by 0:06:30" in note.payload["text"]
    journal.end("r-1", NOW, Verdict.REFUSED, "refused", 10, "")
    journal.begin(make_run("r-2", NOW - timedelta(days=3)), tool_version="0")
    journal.append("r-2", NOW - timedelta(days=3), "opened", "", {})
    assert [record.record for record in journal.records("r-2")] == ["noted", "opened"]


def tell_backup(run: str, receipt: BackupManifest) -> Known:
    return Known.of((receipt, Ledger().intend(run, ArtifactKind.BACKUP, str(receipt.path)).whole()))


def test_the_run_that_began_last_is_the_newest_whatever_the_clock_said(journal: Journal) -> None:
    for number, day in (("r-1", 10), ("r-2", 5)):
        journal.begin(make_run(number, NOW.replace(day=day)), tool_version="0")
        told = tell_backup(number, make_receipt(f"{number}.sql.gz", day)).to_json()
        journal.append(number, NOW.replace(day=day), "left", "backup", {"outcome": "done", **told})
    assert [run.id for run in journal.runs()] == ["r-2", "r-1"]
    assert [receipt.path.stem for receipt in JournalHistory(journal).receipts()] == ["r-2.sql", "r-1.sql"]


def test_a_run_ends_once(journal: Journal) -> None:
    journal.begin(make_run(), tool_version="0")
    journal.end("r-1", NOW, Verdict.COMMITTED, "upgraded", 0, "")
    assert journal.find_unfinished() is None
    with pytest.raises(JournalError, match="has an end already"):
        journal.end("r-1", NOW, Verdict.REFUSED, "refused", 10, "")


def test_a_journal_of_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    Journal.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as raw:
        raw.execute(f"PRAGMA user_version = {FORMAT + 1}")
    before = (tmp_path / "journal.sqlite3").read_bytes()
    with pytest.raises(JournalError) as caught:
        Journal.open(tmp_path)
    assert caught.value.code == "journal.newer_format"
    assert (tmp_path / "journal.sqlite3").read_bytes() == before


def test_runs_are_listed_as_they_began_whatever_the_clock_said(journal: Journal) -> None:
    for number, day in (("r-1", 20), ("r-2", 1)):
        journal.begin(make_run(number, NOW.replace(day=day)), tool_version="0")
    assert [run.id for run in journal.runs()] == ["r-2", "r-1"]


def test_a_file_that_is_no_journal_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite3").write_bytes(b"not a database" * 100)
    with pytest.raises(JournalError) as caught:
        Journal.open(tmp_path)
    assert caught.value.hint


def test_reading_creates_nothing(tmp_path: Path) -> None:
    assert Journal.open_existing(tmp_path / "state") is None
    assert list(tmp_path.iterdir()) == []


def test_receipts_are_those_that_no_cleanup_has_removed_newest_first(journal: Journal) -> None:
    rows: list[Artifact] = []
    for number, day in (("r-1", 1), ("r-2", 2), ("r-3", 3)):
        journal.begin(make_run(number, NOW.replace(day=day)), tool_version="0")
        told = tell_backup(number, make_receipt(f"{day}.sql.gz", day))
        rows += told.ledger.find()
        journal.append(number, NOW, "left", "backup", {"outcome": "done", **told.to_json()})
    journal.append("r-3", NOW, "left", "cleanup", {"outcome": "done", **Known.of((rows[0].gone(),)).to_json()})
    assert [receipt.path.name for receipt in JournalHistory(journal).receipts()] == ["3.sql.gz", "2.sql.gz"]


def test_who_only_looks_sees_what_another_process_writes(journal: Journal) -> None:
    assert Journal.open_existing(journal.path.parent / "elsewhere") is None
    looking = Journal.open_existing(journal.path.parent)
    assert looking is not None
    with closing(looking):
        before = looking.count()
        journal.begin(make_run(), tool_version="0")
        journal.append("r-1", NOW, "entered", "check", {"kind": "check"})
        assert (before, looking.count()) == ((0, 0, 0), (1, 0, 1))
        assert [run.id for run in looking.runs()] == ["r-1"]


def test_who_only_looks_can_write_nothing(journal: Journal) -> None:
    looking = Journal.open_existing(journal.path.parent)
    assert looking is not None
    with closing(looking), pytest.raises(JournalError):
        looking.append("r-1", NOW, "entered", "check", {})


def test_a_journal_that_nobody_has_written_yet_is_none_to_look_at(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite3").touch()
    assert Journal.open_existing(tmp_path) is None
    assert (tmp_path / "journal.sqlite3").stat().st_size == 0
