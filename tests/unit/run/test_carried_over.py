"""A journal that the version before the ledger has written: the next command carries it over and relies on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.core.model.verdict import Verdict
from orchestrator.journal.journal import Journal
from orchestrator.machine.resume import Mode
from orchestrator.run.listener import Listener
from orchestrator.run.recovery import Takeover
from states.registry import KINDS
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version
from tests.tools.golden import write_golden
from tests.tools.script import Killed

FIRST, SECOND, THIRD = "r-20260105-020100-aaaa", "r-20260105-020200-bbbb", "r-20260105-020300-cccc"
FAILED_DATA = "ledger__failed_r_20260105_020100_aaaa"


def make_run_ids() -> Iterator[str]:
    yield from (FIRST, SECOND, THIRD, "r-4", "r-5")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The world of the golden journals after their second run."""
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    ids = make_run_ids()
    bench.service = replace(bench.service, make_run_id=lambda: next(ids))
    for version in ("v1.2.0", "v1.1.0"):
        bench.world.users_write(2)
        bench.world.clock.advance(60)
        bench.run(version)
    return bench


def put_in_place(bench: Bench, name: str, folder: Path) -> None:
    for path in bench.plan.journal_directory.glob("journal.sqlite3*"):
        path.unlink()
    write_golden(bench.plan.journal_directory, name, project=folder)


def test_a_rollback_goes_back_to_a_snapshot_that_was_carried_over(bench: Bench, tmp_path: Path) -> None:
    put_in_place(bench, "journal-2.sql", tmp_path)
    bench.world.users_write(3)
    bench.world.clock.advance(60)
    report = bench.service.roll_back(assume_yes=True, listener=bench.recorder)
    assert report.run.verdict is Verdict.COMMITTED, report.run.reason
    assert serving_version(bench.world) == "v1.0.0"
    assert len(bench.world.missing()) == 3
    assert bench.world.lost() == []
    kept = {one.database for one in bench.service.records.quarantines()}
    assert kept == {FAILED_DATA, *report.quarantine}


def test_a_quarantine_that_was_carried_over_is_listed_and_dropped(bench: Bench, tmp_path: Path) -> None:
    put_in_place(bench, "journal-2.sql", tmp_path)
    (kept,) = bench.service.records.quarantines()
    assert (kept.run_id, kept.database) == (FIRST, FAILED_DATA)
    bench.service.records.drop_quarantine(FIRST)
    assert FAILED_DATA not in bench.world.databases
    assert bench.service.records.quarantines() == ()


def test_a_cleanup_removes_a_snapshot_and_an_image_that_were_carried_over(bench: Bench, tmp_path: Path) -> None:
    put_in_place(bench, "journal-2.sql", tmp_path)
    snapshot = next(name for name in bench.world.databases if "__snapshot_" in name)
    bench.world.releases["v1.4.0"].reports = "1.4.0"
    bench.world.clock.advance(60)
    assert bench.run("v1.4.0").run.verdict is Verdict.COMMITTED
    assert snapshot not in bench.world.databases
    assert FAILED_DATA in bench.world.databases
    names = {name for image in bench.world.images for name in image.names}
    assert not any(SECOND in name for name in names)


def test_a_run_that_was_cut_off_is_recovered_and_its_half_copy_removed(bench: Bench, tmp_path: Path) -> None:
    def die() -> None:
        raise Killed("copy")

    bench.world.users_write(1)
    bench.world.clock.advance(60)
    bench.world.happen("database.copy", die, when="after")
    with pytest.raises(Killed):
        bench.run("v1.3.0")
    put_in_place(bench, "journal-2-cut-off.sql", tmp_path)
    takeover = Takeover(bench.plan, KINDS, bench.service.ports)
    report = takeover.take_up(Mode.RECOVER, announce=lambda *_: None, listener=Listener())
    assert report is not None
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert serving_version(bench.world) == "v1.1.0"
    assert bench.world.missing() == []
    assert not [name for name in bench.world.databases if "cccc" in name]
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        states = {row.id: row.state.value for row in journal.ledger().rows.values() if row.made_by == THIRD}
    assert states[f"{THIRD}/snapshot"] == "gone"
    assert states[f"{THIRD}/backup"] == "whole"
