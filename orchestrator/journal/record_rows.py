"""Rows of records: each is written with its link, and its run gets its seal anew in the same transaction."""

import sqlite3

from orchestrator.journal.integrity import build_record_hash, build_run_hash


def insert_record(connection: sqlite3.Connection, run_id: str, values: tuple[str, ...]) -> None:
    """Add a record to a run, in a transaction of the caller's; ``values`` are those of the columns from ``at`` on."""
    number, last = read_last(connection, run_id)
    row: tuple[str | int, ...] = (run_id, number + 1, *values)
    connection.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, build_record_hash(last, row)))
    seal(connection, run_id)


def seal(connection: sqlite3.Connection, run_id: str) -> None:
    """Set the seal of a run anew, in the transaction that has changed it."""
    run = connection.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
    value = build_run_hash(read_last(connection, run_id)[1], dict(run))
    connection.execute("UPDATE runs SET seal = ? WHERE id = ?", (value, run_id))


def read_last(connection: sqlite3.Connection, run_id: str) -> tuple[int, str]:
    """Number and link of the last record of a run; 0 and empty where it has none."""
    last = connection.execute(
        "SELECT seq, link FROM records WHERE run_id = ? ORDER BY seq DESC LIMIT 1", (run_id,)
    ).fetchone()
    return (int(last["seq"]), str(last["link"])) if last else (0, "")
