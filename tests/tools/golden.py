"""Journals that earlier versions have written, as SQL; moved to another folder, they get new links."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from orchestrator.journal.integrity import build_record_hash
from orchestrator.journal.record_rows import read_last, seal

GOLDEN = Path(__file__).parents[1] / "unit" / "golden"
WRITTEN_IN = "/opt/ledger"


def write_golden(folder: Path, name: str, *, project: Path | None = None) -> Path:
    """Make the journal file in ``folder``; ``project`` takes the place of the folder that it was written for."""
    text = (GOLDEN / name).read_text(encoding="utf-8")
    path = folder / "journal.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        connection.executescript(text.replace(WRITTEN_IN, str(project)) if project else text)
        if project:
            _link_again(connection)
    path.chmod(0o600)
    return path


def _link_again(connection: sqlite3.Connection) -> None:
    records = [tuple(row) for row in connection.execute("SELECT * FROM records ORDER BY run_id, seq")]
    connection.execute("DELETE FROM records")
    for *values, _ in records:
        link = build_record_hash(read_last(connection, values[0])[1], values)
        connection.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, link))
    for (run_id,) in connection.execute("SELECT id FROM runs").fetchall():
        seal(connection, run_id)
