"""A full disk under the journal: what goes forward turns back, and what goes back comes to its end."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.core.errors import JournalError, RefusedError
from orchestrator.core.model.verdict import Verdict
from orchestrator.journal.journal import Journal
from orchestrator.journal.lock import project_lock
from orchestrator.journal.reserve import RESERVE_BYTES, Reserve
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version
from tests.unit.journal.test_journal import NOW, make_run

PAYLOAD = {"text": "x" * 20_000}


class FiniteReserve(Reserve):
    """The room of a journal that may not grow; giving it up lets it grow as long as ``thief`` takes none of it."""

    def __init__(self, journal: Journal, thief: bool = False) -> None:
        super().__init__(journal.path.parent)
        self._connection = journal._connection
        self._thief = thief
        self._connection.execute("PRAGMA max_page_count = 1")  # the least there is: as large as the file is now

    def free(self) -> bool:
        freed = super().free()
        if freed and not self._thief:
            self._connection.execute("PRAGMA max_page_count = 100000")
        return freed


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal.open(tmp_path / "state")) as opened:
        opened.begin(make_run(), tool_version="0")
        yield opened


def test_a_run_begins_with_room_that_is_really_written(journal: Journal) -> None:
    reserve = journal.path.with_name("reserve")
    assert reserve.stat().st_size == RESERVE_BYTES
    assert reserve.stat().st_blocks * 512 >= RESERVE_BYTES
    assert reserve.stat().st_mode & 0o777 == 0o600
    assert not journal.short_of_room


def test_a_record_that_does_not_fit_takes_the_room_that_was_held(journal: Journal) -> None:
    journal._reserve = FiniteReserve(journal)
    journal.append("r-1", NOW, "left", "migrate", PAYLOAD)
    journal.append("r-1", NOW, "left", "restore", PAYLOAD)
    journal.end("r-1", NOW, Verdict.ROLLED_BACK, "rolled_back", 20, "no room")
    assert [record.state for record in journal.records("r-1")] == ["migrate", "restore"]
    assert journal.short_of_room
    assert not journal.path.with_name("reserve").exists()


def test_without_any_room_a_record_is_an_error_and_the_journal_stays_readable(journal: Journal) -> None:
    journal._reserve = FiniteReserve(journal, thief=True)
    for _ in range(2):
        with pytest.raises(JournalError) as caught:
            journal.append("r-1", NOW, "left", "migrate", PAYLOAD)
        assert caught.value.code == "journal.no_space"
    assert journal.records("r-1") == ()
    assert [run.id for run in journal.runs()] == ["r-1"]


def test_an_end_that_cannot_be_written_says_how_the_run_ended(journal: Journal) -> None:
    journal._reserve = FiniteReserve(journal, thief=True)
    with pytest.raises(JournalError) as caught:
        journal.end("r-1", NOW, Verdict.ROLLED_BACK, "rolled_back", 20, "no room " * 5000)
    assert caught.value.code == "journal.end_not_written"
    assert "r-1 is over (rolled_back)" in caught.value.summary
    assert "orchestrator close r-1" in caught.value.hint


def test_a_run_for_whose_way_back_there_is_no_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Reserve) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Reserve, "fill", full)
    with closing(Journal.open(tmp_path)) as journal, pytest.raises(RefusedError) as caught:
        journal.begin(make_run(), tool_version="0")
    assert (caught.value.code, caught.value.exit_code) == ("refused.no_space", 10)


def test_a_reserve_that_does_not_fit_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orchestrator.journal.reserve.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        Reserve(tmp_path).fill()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("short_from", "verdict", "serves"),
    [
        ("backup", Verdict.REFUSED, "v1.0.0"),
        ("stop", Verdict.ROLLED_BACK, "v1.0.0"),
        ("health", Verdict.ROLLED_BACK, "v1.0.0"),
        ("commit", Verdict.COMMITTED, "v1.1.0"),
        ("cleanup", Verdict.COMMITTED, "v1.1.0"),
    ],
)
def test_nothing_is_begun_on_a_full_disk_that_need_not_come_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_from: str, verdict: Verdict, serves: str
) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.recorder.entered = _filling(monkeypatch, short_from)  # type: ignore[method-assign, assignment]
    report = bench.run()
    assert report.run.verdict is verdict
    assert serving_version(bench.world) == serves
    assert bench.world.missing() == []
    assert not (bench.plan.journal_directory / "reserve").exists() or verdict is Verdict.REFUSED
    if verdict is not Verdict.COMMITTED:
        assert f"is full, so {short_from} was not begun" in report.run.reason


def test_a_record_of_the_way_back_that_is_lost_keeps_nobody_from_the_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, append = Bench(tmp_path, WITHOUT_REHEARSAL), Journal.append

    def lossy(journal: Journal, run_id: str, at: object, record: str, state: str, payload: object) -> None:
        if state in ("restore", "rollback"):
            raise JournalError("journal.no_space", "The disk is full.")
        append(journal, run_id, at, record, state, payload)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "append", lossy)
    report = bench.run("v1.3.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert serving_version(bench.world) == "v1.0.0"


def test_a_lock_holds_even_where_its_owner_cannot_be_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orchestrator.journal.lock.os.pwrite", full)
    with project_lock(tmp_path, run_id="r-1"):
        assert (tmp_path / "lock").exists()


def _filling(monkeypatch: pytest.MonkeyPatch, state: str) -> Callable[[str, str], None]:
    def entered(name: str, kind: str) -> None:
        if name == state:
            monkeypatch.setattr(Reserve, "free_bytes", lambda _: 0)

    return entered
