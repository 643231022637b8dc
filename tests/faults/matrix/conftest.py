"""The many hundred runs of the matrix do not wait for the disk: what a power loss leaves on it is tried elsewhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.journal import database_file, journal


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """The same files with the same content, without the certainty that they are on the disk."""

    def open_without_waiting(directory: Path) -> sqlite3.Connection:
        connection = database_file.open_for_writing(directory)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(journal, "open_for_writing", open_without_waiting)
        patched.setattr("os.fsync", lambda _: None)
        patched.setattr("orchestrator.journal.reserve.RESERVE_BYTES", 4096)
        yield
