"""The ledger: rows of what runs make, in the journal's file, and what earlier formats knew of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.core.errors import JournalError
from orchestrator.core.ledger import DATABASE, Artifact, ArtifactKind, Ledger
from orchestrator.journal.carry_over import derive_ledger
from orchestrator.journal.journal import Journal, Run
from tests.tools.golden import write_golden

NOW = datetime(2026, 1, 5, 2, tzinfo=UTC)
SNAPSHOT = Ledger().intend("r-1", ArtifactKind.SNAPSHOT, "app__snapshot_r_1", store=DATABASE)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal.open(tmp_path)) as opened:
        begin(opened, "r-1")
        yield opened


def begin(journal: Journal, run: str) -> None:
    journal.begin(
        Run(
            id=run, plan_name="app", plan_sha256="0" * 64, plan_source="plan.yaml", pid=1, boot_id="b", request={},
            began_at=NOW, ended_at=None, verdict=None, end_state=None, exit_code=None, reason="",
        ),
        tool_version="0",
    )  # fmt: skip


def write(journal: Journal, run: str, *rows: Artifact) -> None:
    journal.append(run, NOW, "left", "stop", {"facts": {}, "ledger": [row.model_dump(mode="json") for row in rows]})


def tell(ledger: Ledger) -> set[tuple[str, str, str, str]]:
    return {(row.id, row.run, row.ref, row.state.value) for row in ledger.rows.values()}


def test_a_row_is_as_the_newest_record_tells_it(journal: Journal) -> None:
    write(journal, "r-1", SNAPSHOT)
    write(journal, "r-1", SNAPSHOT.whole())
    assert tell(journal.ledger()) == {("r-1/snapshot", "r-1", "app__snapshot_r_1", "whole")}


def test_an_artifact_that_is_gone_stays_gone(journal: Journal) -> None:
    begin(journal, "r-2")
    for row in (SNAPSHOT, SNAPSHOT.gone(), SNAPSHOT.whole()):
        write(journal, "r-1", row)
    assert tell(journal.ledger()) == {("r-1/snapshot", "r-1", "app__snapshot_r_1", "gone")}
    assert journal.ledger().find() == ()
    with closing(Journal.open(journal.path.parent)) as again:
        assert tell(again.ledger()) == tell(journal.ledger())


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE ledger SET ref = 'app'",
        "UPDATE ledger SET state = 'gone'",
        "UPDATE ledger SET needed_until = 'run_end'",
        "DELETE FROM ledger",
        "INSERT INTO ledger SELECT id || '/2', run, store, kind, ref, state, replaces, needed_until FROM ledger",
    ],
)
def test_a_row_that_no_record_tells_is_damage(journal: Journal, edit: str) -> None:
    write(journal, "r-1", SNAPSHOT.whole())
    with closing(sqlite3.connect(journal.path)) as connection:
        connection.execute(edit)
        connection.commit()
    with pytest.raises(JournalError, match="its ledger is not what its records say"):
        Journal.open(journal.path.parent)
    with pytest.raises(JournalError, match="its ledger is not what its records say"):
        Journal.open_existing(journal.path.parent)


def test_another_attempt_of_a_run_has_the_row_of_the_first() -> None:
    ledger = Ledger().joined([SNAPSHOT])
    assert ledger.intend("r-1", ArtifactKind.SNAPSHOT, SNAPSHOT.ref, store=DATABASE) == SNAPSHOT
    other = ledger.intend("r-1", ArtifactKind.SNAPSHOT, "elsewhere", store=DATABASE)
    assert other.id == "r-1/snapshot/2"
    assert ledger.joined([other]).find_intended("r-1", ArtifactKind.SNAPSHOT, DATABASE) == other
    assert ledger.joined([SNAPSHOT.whole()]).intend("r-2", ArtifactKind.SNAPSHOT, SNAPSHOT.ref).id == "r-2/snapshot"


def test_data_keep_their_row_through_exchanges_and_back() -> None:
    ledger = Ledger().joined([SNAPSHOT.whole()])
    aside = ledger.intend("r-2", ArtifactKind.QUARANTINE, "app__replaced_r_2", store=DATABASE)
    ledger = ledger.joined(ledger.exchange("r-2", SNAPSHOT, aside, "app"))
    assert tell(ledger) == {
        ("r-1/snapshot", "r-2", "app", "live"),
        ("r-2/quarantine", "r-2", "app__replaced_r_2", "aside"),
    }
    back = ledger.rows["r-2/quarantine"]
    failed = ledger.intend("r-2", ArtifactKind.QUARANTINE, "app__failed_r_2", store=DATABASE)
    ledger = ledger.joined(ledger.exchange("r-2", back, failed, "app"))
    assert tell(ledger) == {
        ("r-1/snapshot", "r-2", "app__failed_r_2", "aside"),
        ("r-2/quarantine", "r-2", "app", "live"),
        ("r-2/quarantine/2", "r-2", "app__failed_r_2", "gone"),
    }
    assert ledger.find_live(DATABASE) == ledger.get("r-2/quarantine")
    assert [row.replaces for row in ledger.rows.values()] == ["r-2/quarantine", "r-1/snapshot", None]


def test_a_journal_of_format_2_is_carried_over(tmp_path: Path) -> None:
    write_golden(tmp_path, "journal-2-cut-off.sql")
    with closing(Journal.open(tmp_path)) as journal:
        found = {(row.id, Path(row.ref).name, row.state.value) for row in journal.ledger().rows.values()}
    first, second, third = "r-20260105-020100-aaaa", "r-20260105-020200-bbbb", "r-20260105-020300-cccc"
    assert found == {
        (f"{first}/backup", "2026-01-05_020103_v1.0.0.sql.gz", "whole"),
        (f"{first}/image", f"kept:{first}", "gone"),
        (f"{first}/project", first, "gone"),
        (f"{first}/snapshot", "ledger", "live"),
        (f"{first}/quarantine", "ledger__failed_r_20260105_020100_aaaa", "aside"),
        (f"{second}/backup", "2026-01-05_020212_v1.0.0.sql.gz", "whole"),
        (f"{second}/image", f"kept:{second}", "whole"),
        (f"{second}/project", second, "whole"),
        (f"{second}/snapshot", "ledger__snapshot_r_20260105_020200_bbbb", "whole"),
        (f"{third}/backup", "2026-01-05_020325_v1.1.0.sql.gz", "whole"),
        (f"{third}/backup/2", "2026-01-05_020325_v1.1.0_stopped.sql.gz", "intended"),
        (f"{third}/image", f"kept:{third}", "whole"),
        (f"{third}/project", third, "whole"),
        (f"{third}/snapshot", "ledger__snapshot_r_20260105_020300_cccc", "intended"),
    }


@pytest.mark.parametrize(
    ("verdict", "decision", "found"),
    [
        ("committed", None, ("app__r_1", "whole", "retention")),
        ("rolled_back", None, ("app__r_1", "whole", "retention")),
        ("rolled_back", "image_only", ("app__r_1", "whole", "retention")),
        ("rolled_back", "swap", ("app", "live", "retention")),
        ("rolled_back", "keep_data", ("app__r_1", "whole", "dropped")),
    ],
)
def test_a_snapshot_is_carried_over_to_where_its_data_are(
    verdict: str, decision: str | None, found: tuple[str, str, str]
) -> None:
    facts: dict[str, object] = {"snapshot": {"database": "app__r_1", "source": "app", "backup": None}}
    facts |= {"way_back": {"decision": decision}} if decision else {}
    facts |= {"quarantine": {"database": "failed", "restored_from": "app__r_1"}} if decision == "swap" else {}
    (row,) = (row for row in derive_ledger([("r-1", verdict, facts)])["r-1"] if row.kind is ArtifactKind.SNAPSHOT)
    assert (row.ref, row.state, row.needed_until) == found


def test_an_exchange_that_was_taken_back_is_carried_over_with_the_data_where_they_are() -> None:
    upgrade = {"snapshot": {"database": "old", "source": "app", "backup": None}}
    way_back = {
        "replacement": {"database": "old", "origin": "", "version": "1"},
        "snapshot": {"database": "new", "source": "app", "backup": None},
        "quarantine": {"database": "failed", "restored_from": "new"},
    }
    derived = derive_ledger([("r-1", "committed", upgrade), ("r-2", "rolled_back", way_back)])
    assert tell(Ledger().joined(row for rows in derived.values() for row in rows)) == {
        ("r-1/snapshot", "r-2", "failed", "aside"),
        ("r-2/quarantine", "r-2", "app", "live"),
        ("r-2/quarantine/2", "r-2", "failed", "gone"),
    }
