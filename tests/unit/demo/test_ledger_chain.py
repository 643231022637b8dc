"""The ledger's hash chain."""

import hashlib
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from deploy.demo.ledger.chain import GENESIS, Entry, chain_hash, next_entry, verify


def chain_of(*bodies: str) -> list[Entry]:
    entries: list[Entry] = []
    for body in bodies:
        entries.append(next_entry(entries[-1] if entries else None, body))
    return entries


def test_the_first_entry_follows_from_nothing() -> None:
    entry = next_entry(None, "first")
    expected = hashlib.sha256(b"0" * 64 + b"first").hexdigest()
    assert entry == Entry(1, "first", GENESIS, expected)


def test_every_entry_carries_the_hash_of_the_one_before() -> None:
    first, second = chain_of("a", "b")
    assert (second.id, second.prev_hash) == (2, first.hash)
    assert second.hash == chain_hash(first.hash, "b")


def test_an_empty_ledger_is_intact() -> None:
    assert (verify([]).entries, verify([]).intact, verify([]).head) == (0, True, GENESIS)


@given(st.lists(st.text(), min_size=1, max_size=20))
def test_an_untouched_chain_is_intact(bodies: list[str]) -> None:
    entries = chain_of(*bodies)
    verdict = verify(entries)
    assert (verdict.entries, verdict.intact, verdict.head) == (len(bodies), True, entries[-1].hash)


@given(st.data())
def test_an_entry_lost_before_the_end_breaks_the_chain(data: st.DataObject) -> None:
    entries = chain_of(*data.draw(st.lists(st.text(), min_size=2, max_size=20)))
    lost = data.draw(st.integers(0, len(entries) - 2))
    verdict = verify(entries[:lost] + entries[lost + 1 :])
    assert (verdict.intact, verdict.broken_at) == (False, lost + 2)


def test_a_changed_body_breaks_the_chain_where_it_stands() -> None:
    first, second, third = chain_of("a", "b", "c")
    assert verify([first, replace(second, body="B"), third]).broken_at == 2
