"""A journal that was damaged, altered or cut is refused in one sentence, and never lost or acted upon."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.core.errors import JournalError
from orchestrator.core.model.verdict import Verdict
from orchestrator.journal.database_file import FORMAT
from orchestrator.journal.journal import Journal, Record, Run
from tests.tools.bench import WITHOUT_REHEARSAL, Bench
from tests.tools.golden import write_golden
from tests.tools.script import Killed

pytestmark = pytest.mark.slow

EVERY = 211  # flips; the step is prime, so that each bit of a byte has its turn


@dataclass
class Small:
    """A journal of one run that ended and one that was cut off."""

    folder: Path
    content: bytes
    runs: tuple[Run, ...]
    records: tuple[tuple[Record, ...], ...]

    @property
    def path(self) -> Path:
        return self.folder / "journal.sqlite3"

    def read(self) -> tuple[tuple[Run, ...], tuple[tuple[Record, ...], ...]]:
        """All of it, as `recover` would first see it."""
        with closing(Journal.open(self.folder)) as journal:
            return journal.runs(), tuple(journal.records(run.id) for run in journal.runs())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    bench = Bench(tmp_path_factory.mktemp("made"), WITHOUT_REHEARSAL)
    bench.world.fail("backups.write", Killed())
    with pytest.raises(Killed):
        bench.run("v1.1.0")
    with closing(sqlite3.connect(bench.plan.journal_directory / "journal.sqlite3")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (bench.plan.journal_directory / "journal.sqlite3").read_bytes()


@pytest.fixture
def small(made: bytes, tmp_path: Path) -> Small:
    (tmp_path / "journal.sqlite3").write_bytes(made)
    found = Small(tmp_path, made, (), ())
    found.runs, found.records = found.read()
    assert found.records[0]
    return found


def flips(content: bytes) -> Iterator[tuple[int, bytes]]:
    header = range(100 * 8)
    for number in (*header, *range(100 * 8, len(content) * 8, EVERY)):
        place, bit = divmod(number, 8)
        yield number, content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]


def test_a_bit_that_flips_is_seen_or_harmless(small: Small) -> None:
    seen = 0
    for number, content in flips(small.content):
        for log in small.folder.glob("journal.sqlite3-*"):
            log.unlink()
        small.path.write_bytes(content)
        try:
            read = small.read()
        except JournalError:
            seen += 1
            continue
        assert read == (small.runs, small.records), f"bit {number}"
    assert seen > 100


@pytest.mark.parametrize("length", [0, 1, 16, 100, 512, 4095, 4096, 8192, 12288])
def test_a_file_that_was_cut_is_refused_and_stays(small: Small, length: int) -> None:
    (small.folder / "runs" / "r-1").mkdir(parents=True)
    small.path.write_bytes(small.content[:length])
    with pytest.raises(JournalError) as caught:
        small.read()
    assert (caught.value.exit_code, small.path.read_bytes()) == (70, small.content[:length])


@pytest.mark.parametrize("garbage", [b"not a database" * 500, b"SQLite format 3\0" + b"\xff" * 8192, b"\0" * 8192])
def test_garbage_is_refused_and_stays(small: Small, garbage: bytes) -> None:
    small.path.write_bytes(garbage)
    with pytest.raises(JournalError) as caught:
        small.read()
    assert caught.value.hint
    assert small.path.read_bytes() == garbage


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE records SET payload = replace(payload, 'ledger', 'legder') WHERE seq = 1",
        "UPDATE records SET at = '2020-01-01T00:00:00+00:00' WHERE seq = 2",
        "UPDATE records SET state = 'commit', record = 'prepared' WHERE seq = (SELECT max(seq) FROM records)",
        "DELETE FROM records WHERE seq = 3",
        "DELETE FROM records WHERE seq = (SELECT max(seq) FROM records)",
        "DELETE FROM runs",
        "UPDATE runs SET verdict = 'refused', ended_at = began_at",
        'UPDATE runs SET request = \'{"operation": "rollback"}\'',
        "INSERT INTO records SELECT run_id, seq + 1, at, record, state, payload, link FROM records"
        " ORDER BY seq DESC LIMIT 1",
        "ALTER TABLE records ADD COLUMN more TEXT",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = -1",
    ],
)
def test_what_was_edited_by_hand_is_refused_and_no_run_is_touched(tmp_path: Path, edit: str) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.happen("database.copy", lambda: bench.world.script.die_at(0, "before"), when="after")
    with pytest.raises(Killed):
        bench.run("v1.1.0")
    bench.world.script.revive()
    with closing(sqlite3.connect(bench.plan.journal_directory / "journal.sqlite3")) as connection:
        connection.execute(edit)
        connection.commit()
    before = len(bench.world.calls)
    with pytest.raises(JournalError) as caught:
        bench.run("v1.1.0")
    assert (caught.value.code, caught.value.exit_code) == ("journal.damaged", 70)
    assert len(bench.world.calls) == before


def test_what_was_committed_does_not_depend_on_the_log(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    copies: list[tuple[int, int]] = []

    def copy() -> None:
        folder = tmp_path / f"copy-{len(copies)}"
        folder.mkdir()
        shutil.copy(bench.plan.journal_directory / "journal.sqlite3", folder)
        with closing(Journal.open(folder)) as seen, closing(Journal.open(bench.plan.journal_directory)) as true:
            run = true.runs()[0]
            copies.append((len(seen.records(run.id)), len(true.records(run.id))))

    for method in ("backups.write", "database.copy", "workloads.start_job", "database.swap"):
        bench.world.happen(method, copy)
    bench.run("v1.2.0")
    assert len(copies) == 4
    assert all(seen == true for seen, true in copies)


@pytest.mark.parametrize(
    ("name", "verdicts"),
    [
        ("journal-1.sql", [None, Verdict.ROLLED_BACK]),
        ("journal-2.sql", [Verdict.COMMITTED, Verdict.ROLLED_BACK]),
        ("journal-2-cut-off.sql", [None, Verdict.COMMITTED, Verdict.ROLLED_BACK]),
    ],
)
def test_a_journal_of_an_earlier_format_is_read_and_brought_to_this_one(
    tmp_path: Path, name: str, verdicts: list[Verdict | None]
) -> None:
    path = write_golden(tmp_path, name)
    before = path.read_bytes()
    reading = Journal.open_existing(tmp_path)
    assert reading is not None
    with closing(reading):
        runs, records = reading.runs(), [reading.records(run.id) for run in reading.runs()]
        ledger = reading.ledger()
    assert [run.verdict for run in runs] == verdicts
    assert path.read_bytes() == before
    for _ in range(2):
        with closing(Journal.open(tmp_path)) as journal:
            kept = [tuple(r for r in journal.records(run.id) if r.record != "carried") for run in journal.runs()]
            assert (journal.runs(), kept) == (runs, records)
            assert dict(journal.ledger().rows) == dict(ledger.rows)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == FORMAT


def test_a_journal_of_format_2_that_was_edited_is_not_carried_over(tmp_path: Path) -> None:
    path = write_golden(tmp_path, "journal-2.sql")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE records SET payload = replace(payload, '__snapshot_', '__snapshop_')")
        connection.commit()
    with pytest.raises(JournalError) as caught:
        Journal.open(tmp_path)
    assert caught.value.code == "journal.damaged"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 2


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_is_refused(small: Small, mode: int) -> None:
    small.folder.chmod(mode)
    try:
        with pytest.raises(JournalError, match="may be written by others") as caught:
            small.read()
    finally:
        small.folder.chmod(0o700)
    assert caught.value.code == "journal.not_private"


def test_a_file_that_others_may_write_is_refused(small: Small) -> None:
    small.path.chmod(0o660)
    with pytest.raises(JournalError, match="may be written by others"):
        small.read()


def test_a_file_of_somebody_else_is_refused(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody_else = frozenset({small.path.stat().st_uid + 1})
    monkeypatch.setattr("orchestrator.core.trust.Trust.find_users", lambda _trust: somebody_else)
    with pytest.raises(JournalError, match="belongs to user"):
        small.read()
