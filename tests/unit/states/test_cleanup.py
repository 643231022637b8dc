"""Retention lets go only what is superfluous, and never the newest proven backup of the running version."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.facts import Receipt
from states.cleanup import choose_superfluous
from tests.words import make_receipt

START = datetime(2026, 1, 1, tzinfo=UTC)


def make_receipts(versions: list[str]) -> tuple[Receipt, ...]:
    """One a day, the first one being the newest."""
    return tuple(
        make_receipt(Path(f"/backups/{number}.sql.gz"), START - timedelta(days=number), version)
        for number, version in enumerate(versions)
    )


def test_all_but_the_newest_go() -> None:
    gone = choose_superfluous(make_receipts(["v5", "v4", "v3", "v2", "v1"]), 3, "v5")
    assert [path.name for path in gone] == ["3.sql.gz", "4.sql.gz"]


def test_the_newest_of_the_protected_version_stays_however_old() -> None:
    gone = choose_superfluous(make_receipts(["v3", "v3", "v3", "v1", "v1"]), 3, "v1")
    assert [path.name for path in gone] == ["4.sql.gz"]


@given(
    st.lists(st.sampled_from(["v1", "v2", "v3"]), max_size=12), st.integers(1, 5), st.sampled_from(["v1", "v9", None])
)
def test_what_is_kept_is_always_enough(versions: list[str], keep: int, protected: str | None) -> None:
    receipts = make_receipts(versions)
    gone = set(choose_superfluous(receipts, keep, protected))
    kept = [receipt for receipt in receipts if receipt.path not in gone]
    assert kept[:keep] == list(receipts[:keep])
    assert len(kept) <= keep + 1
    assert protected not in versions or any(receipt.version == protected for receipt in kept)
