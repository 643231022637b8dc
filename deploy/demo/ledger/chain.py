"""The hash chain that ties every entry to all entries before it; pure."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

GENESIS = "0" * 64
"""Hash of the entry before the first one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One acknowledged entry; ids start at 1 and have no gaps, hashes are lower-case hexadecimal SHA-256."""

    id: int
    body: str
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of a walk along the chain; `head` is the hash of the last entry."""

    entries: int
    intact: bool
    head: str
    broken_at: int | None = None


def chain_hash(prev_hash: str, body: str) -> str:
    """Hash of an entry: SHA-256 over the hash before it (always 64 characters) and its body."""
    return hashlib.sha256((prev_hash + body).encode()).hexdigest()


def next_entry(last: Entry | None, body: str) -> Entry:
    """Entry that follows `last`, or the first one."""
    prev_hash = last.hash if last else GENESIS
    return Entry(last.id + 1 if last else 1, body, prev_hash, chain_hash(prev_hash, body))


def verify(entries: Iterable[Entry]) -> Verdict:
    """Walk `entries`, which come in order of id; `broken_at` is the first that does not follow."""
    last: Entry | None = None
    broken_at: int | None = None
    count = 0
    for entry in entries:
        expected = next_entry(last, entry.body)
        if broken_at is None and entry != expected:
            broken_at = entry.id
        last = entry
        count += 1
    return Verdict(count, broken_at is None, last.hash if last else GENESIS, broken_at)
