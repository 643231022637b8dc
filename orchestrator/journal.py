"""The durable record of runs: an embedded SQLite file, every commit on disk before the next step is taken.

Records are facts in the past tense, one row each, in the order in which they happened:

``entered``   a state was entered (payload: kind, attempt, deadline_s)
``prepared``  what undoing will need is known (facts); only now may the state change anything
``left``      it is over (kind, outcome, reason, facts, to, seconds)
``noted``     something worth telling later (text)

A reader that sees any prefix of them knows a position that the world is not behind of by more than one state.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.errors import JournalError, RefusedError
from orchestrator.facts import Facts
from orchestrator.model import Verdict
from orchestrator.reserve import RESERVE_BYTES, Reserve

FORMAT = 1
NO_SPACE = "journal.no_space"
_PRIMARY_CODE = 0xFF
_ROOM_FOR_RECORDS = 256 * 1024  # a state has two or three, and a large database fills many pages of one

_TABLES = """
CREATE TABLE runs (
  id TEXT PRIMARY KEY, plan_name TEXT NOT NULL, plan_sha256 TEXT NOT NULL, plan_source TEXT NOT NULL,
  boot_id TEXT NOT NULL, pid INTEGER NOT NULL, tool_version TEXT NOT NULL, request TEXT NOT NULL,
  began_at TEXT NOT NULL, ended_at TEXT, verdict TEXT, end_state TEXT, exit_code INTEGER, reason TEXT
);
CREATE TABLE records (
  run_id TEXT NOT NULL REFERENCES runs(id), seq INTEGER NOT NULL, at TEXT NOT NULL,
  record TEXT NOT NULL, state TEXT NOT NULL, payload TEXT NOT NULL,
  PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Record:
    """One row: what happened to which state, when."""

    seq: int
    at: datetime
    record: str
    state: str
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """One execution of a plan; ``verdict`` is None while it has no end."""

    id: str
    plan_name: str
    plan_sha256: str
    plan_source: str
    pid: int
    boot_id: str
    request: Mapping[str, Any]
    began_at: datetime
    ended_at: datetime | None
    verdict: Verdict | None
    end_state: str | None
    exit_code: int | None
    reason: str


class Journal:
    """The records of all runs of one project.

    Raises `JournalError` (``journal.unreadable``, ``journal.not_writable``, ``journal.newer_format``) from
    every method that touches the file.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._connection.row_factory = sqlite3.Row
        self._reserve = Reserve(path.parent)
        self._reserve_used = False

    @classmethod
    def open(cls, directory: Path) -> Journal:
        """Open or create the journal in ``directory``, which is made with mode 0700 if it is missing."""
        path = directory / "journal.sqlite3"
        with _refused_without_room(directory), _translated(path):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
            journal = cls(path, connection)
            try:
                journal._prepare()
            except BaseException:
                journal.close()
                raise
        return journal

    @classmethod
    def open_existing(cls, directory: Path) -> Journal | None:
        """Open the journal for reading if there is one; creates and changes nothing."""
        path = directory / "journal.sqlite3"
        if not path.is_file():
            return None
        with _translated(path):
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)
            journal = cls(path, connection)
            try:
                if journal._read_format():
                    return journal
            except BaseException:
                journal.close()
                raise
            journal.close()
        return None  # somebody is just about to make it

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def begin(self, run: Run, *, tool_version: str) -> None:
        """Record that a run exists, before it does anything, and hold the room that its way back will need.

        Raises:
            RefusedError: ``refused.no_space``.
        """
        with _refused_without_room(self.path.parent):
            with _translated(self.path):
                self._reserve.fill()
            self._write(
                "INSERT INTO runs (id, plan_name, plan_sha256, plan_source, boot_id, pid, tool_version, request,"
                " began_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    run.id, run.plan_name, run.plan_sha256, run.plan_source, run.boot_id, run.pid, tool_version,
                    json.dumps(run.request), run.began_at.isoformat(),
                ),
            )  # fmt: skip

    def append(self, run_id: str, at: datetime, record: str, state: str, payload: Mapping[str, Any]) -> None:
        """Write one record durably."""
        self._write(
            "INSERT INTO records SELECT ?, COALESCE(MAX(seq), 0) + 1, ?, ?, ?, ? FROM records WHERE run_id = ?",
            (run_id, at.isoformat(), record, state, json.dumps(payload), run_id),
        )

    def end(self, run_id: str, at: datetime, verdict: Verdict, end_state: str, exit_code: int, reason: str) -> None:
        """Record how a run ended; a run ends once. ``journal.end_not_written`` says in words how it ended."""
        try:
            changed = self._write(
                "UPDATE runs SET ended_at = ?, verdict = ?, end_state = ?, exit_code = ?, reason = ?"
                " WHERE id = ? AND verdict IS NULL",
                (at.isoformat(), verdict.value, end_state, exit_code, reason, run_id),
            )
        except JournalError as error:
            raise JournalError(
                "journal.end_not_written",
                f"Run {run_id} is over ({verdict.value}), but the journal could not be told: {error.what}",
                meaning=reason,
                hint=f"Make room, look at the app, then `orchestrator close {run_id}`.",
            ) from error
        if changed != 1:
            raise JournalError("journal.ended_twice", f"Run {run_id} has an end already, or never began.")

    @property
    def short_of_room(self) -> bool:
        """Whether a record has needed the room held for the way back, or the next one probably would."""
        with _translated(self.path):
            return self._reserve_used or self._reserve.free_bytes() < _ROOM_FOR_RECORDS

    def free_reserve(self) -> None:
        """Give up the room that was held: what begins now must come to its end."""
        with _translated(self.path):
            self._reserve.free()

    def runs(self) -> tuple[Run, ...]:
        """All runs, newest first."""
        with _translated(self.path):
            rows = self._connection.execute("SELECT * FROM runs ORDER BY began_at DESC, id DESC").fetchall()
        return tuple(_run(row) for row in rows)

    def find_run(self, run_id: str) -> Run | None:
        """The run with this id."""
        return next((run for run in self.runs() if run.id == run_id), None)

    def find_unfinished(self) -> Run | None:
        """A run without an end: one that is at work, or was cut off."""
        return next((run for run in self.runs() if run.verdict is None), None)

    def records(self, run_id: str) -> tuple[Record, ...]:
        """All records of a run in the order in which they were written."""
        with _translated(self.path):
            rows = self._connection.execute(
                "SELECT seq, at, record, state, payload FROM records WHERE run_id = ? ORDER BY seq", (run_id,)
            ).fetchall()
        return tuple(
            Record(
                row["seq"],
                datetime.fromisoformat(row["at"]),
                row["record"],
                row["state"],
                json.loads(row["payload"]),
            )
            for row in rows
        )

    def facts(self, run_id: str) -> Facts:
        """All that a run has proven."""
        facts = Facts()
        for record in self.records(run_id):
            facts = facts.joined(Facts(record.payload.get("facts")))
        return facts

    def count(self) -> tuple[int, int, int]:
        """Runs, ends and records: while they are the same, nothing has happened. The other methods cost more."""
        with _translated(self.path):
            row = self._connection.execute(
                "SELECT COUNT(*), COUNT(verdict), (SELECT COUNT(*) FROM records) FROM runs"
            ).fetchone()
        return row[0], row[1], row[2]

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        if self._read_format() == 0:
            self._connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {FORMAT}; COMMIT;")

    def _read_format(self) -> int:
        self._connection.row_factory = sqlite3.Row
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        if version > FORMAT:
            raise JournalError(
                "journal.newer_format",
                f"The journal {self.path} was written by a newer version of orchestrator.",
                meaning="Nothing was touched.",
                hint="Use that version or a newer one.",
            )
        return version

    def _write(self, statement: str, values: tuple[str | int, ...]) -> int:
        """Write durably, on a full disk with the room that was held; how many rows were changed."""
        with _translated(self.path):
            try:
                return self._commit(statement, values)
            except sqlite3.Error as error:
                if not (_is_full(error) and self._reserve.free()):
                    raise
                self._reserve_used = True
            return self._commit(statement, values)

    def _commit(self, statement: str, values: tuple[str | int, ...]) -> int:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            changed = self._connection.execute(statement, values).rowcount
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # a full disk may have ended it already
                self._connection.execute("ROLLBACK")
            raise
        return changed


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise JournalError(
            NO_SPACE if _is_full(error) else "journal.unusable",
            f"The journal {path} cannot be used: {error}.",
            meaning="Nothing is done that it does not know: what was under way has stopped where it was.",
            hint="Look at the rights of its folder and the room on its disk; then `orchestrator status` shows how far"
            " the newest run is, and `orchestrator run` how to bring the old version back if it was cut off.",
        ) from error


@contextmanager
def _refused_without_room(directory: Path) -> Iterator[None]:
    try:
        yield
    except JournalError as error:
        if error.code != NO_SPACE:
            raise
        raise RefusedError(
            "refused.no_space",
            f"There is no room for the journal in {directory}: {RESERVE_BYTES // 1024} KiB are needed for a way back.",
            meaning="Nothing was touched.",
            hint="Make room; nothing is deleted automatically to make it.",
        ) from error


# The file that cannot grow is not always the one that says that it is full.
def _is_full(error: sqlite3.Error | OSError) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY_CODE in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _run(row: sqlite3.Row) -> Run:
    return Run(
        id=row["id"], plan_name=row["plan_name"], plan_sha256=row["plan_sha256"], plan_source=row["plan_source"],
        pid=row["pid"], boot_id=row["boot_id"], request=json.loads(row["request"]),
        began_at=datetime.fromisoformat(row["began_at"]),
        ended_at=datetime.fromisoformat(row["ended_at"]) if row["ended_at"] else None,
        verdict=Verdict(row["verdict"]) if row["verdict"] else None,
        end_state=row["end_state"], exit_code=row["exit_code"], reason=row["reason"] or "",
    )  # fmt: skip
