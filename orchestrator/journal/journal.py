"""The durable record of runs: an embedded SQLite file, every commit on disk before the next step is taken.

Records are facts in the past tense, one row each, in the order in which they happened:

``intended``  the project is about to be frozen
``opened``    it is (facts)
``entered``   a state was entered (payload: kind, attempt, deadline_s)
``prepared``  what undoing will need is known (facts); only now may the state change anything
``left``      it is over (kind, outcome, reason, facts, to, seconds)
``noted``     something worth telling later (text)
``removed``   what a run that was cut off had begun to make was removed
``carried``   what the run has made, as it was known before there was a ledger

A payload may have rows of the ledger (`core/ledger.py`); they are in its table by the same commit.

A reader that sees any prefix of them knows a position that the world is not behind of by more than one state.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.core.errors import JournalError
from orchestrator.core.facts import Facts
from orchestrator.core.ledger import Ledger
from orchestrator.core.model.verdict import Verdict
from orchestrator.journal.database_file import (
    Verified,
    is_full,
    is_unchanged,
    open_for_reading,
    open_for_writing,
    refused_without_room,
    translated,
)
from orchestrator.journal.ledger_table import LEDGER, read_ledger, write_rows
from orchestrator.journal.record_rows import insert_record, seal
from orchestrator.journal.reserve import Reserve
from orchestrator.redaction.redactor import Redactor

_ENDED_TWICE = "journal.ended_twice"
_CLOCK_TOLERANCE = timedelta(minutes=1)  # less is a clock that is being set right
_ROOM_FOR_RECORDS = 256 * 1024  # a state has two or three, and a large database fills many pages of one
# What only people read, and what others have said may be in. Names and paths must stay what they are.
_PROSE = frozenset({"reason", "text", "found", "notes", "evidence", "old_version_problem"})


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
    ended_at: datetime | None = None
    verdict: Verdict | None = None
    end_state: str | None = None
    exit_code: int | None = None
    reason: str = ""


class Journal:
    """The records of all runs of one project.

    Raises `JournalError` (``journal.unusable``, ``journal.no_space``) from every method that touches the file; opening
    it raises ``journal.newer_format``, ``journal.damaged`` and ``journal.not_private`` too.
    """

    def __init__(
        self,
        directory: Path,
        connection: sqlite3.Connection,
        mask: Redactor | None = None,
        verified: Verified | None = None,
    ) -> None:
        self.path = directory / "journal.sqlite3"
        self._connection = connection
        self._mask = mask or Redactor()
        self._reserve = Reserve(directory)
        self._reserve_used = False
        self._verified = verified

    @classmethod
    def open(cls, directory: Path, mask: Redactor | None = None) -> Journal:
        """Open or create the journal in ``directory``, which is made with mode 0700 if it is missing.

        ``mask`` takes the secrets that it knows out of every sentence that is written.
        """
        return cls(directory, open_for_writing(directory), mask)

    @classmethod
    def open_existing(cls, directory: Path) -> Journal | None:
        """Open the journal for reading if there is one; creates and changes nothing."""
        found = open_for_reading(directory)
        return cls(directory, found.connection, verified=found.verified) if found is not None else None

    def go_on(self, mask: Redactor) -> Journal:
        """Write to a journal that was opened for reading, now that its project is locked.

        It is verified again only where somebody has written to it since then. Raises as `open`.
        """
        reading = self._connection
        with closing(reading):
            self._connection = open_for_writing(self.path.parent, lambda: is_unchanged(reading, self._verified))
        self._mask = mask
        return self

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def begin(self, run: Run, *, tool_version: str) -> None:
        """Record that a run exists, before it does anything, and hold the room that its way back will need.

        Raises:
            RefusedError: ``refused.no_space``.
        """
        with refused_without_room(self.path.parent):
            with translated(self.path):
                self._reserve.fill()
            self._write(partial(_insert_run, run=run, tool_version=tool_version))

    def append(self, run_id: str, at: datetime, record: str, state: str, payload: Mapping[str, Any]) -> None:
        """Write one record durably, behind a note where the clock went back since the last one."""
        newest = self._find_newest(run_id)
        if newest is not None and newest - at > _CLOCK_TOLERANCE:
            self._insert(run_id, at, "noted", "", {"text": _tell_clock(newest, at)})
        self._insert(run_id, at, record, state, payload)

    def _insert(self, run_id: str, at: datetime, record: str, state: str, payload: Mapping[str, Any]) -> None:
        values = (at.isoformat(), record, state, json.dumps(_mask_prose(payload, self._mask)))
        self._write(partial(_insert_record, run_id=run_id, values=values, rows=payload.get(LEDGER, ())))

    def end(self, run_id: str, at: datetime, verdict: Verdict, end_state: str, exit_code: int, reason: str) -> None:
        """Record how a run ended; a run ends once. ``journal.end_not_written`` says in words how it ended."""
        reason = self._mask.text(reason).encode("utf-8", "replace").decode()
        values = (at.isoformat(), verdict.value, end_state, exit_code, reason)
        try:
            self._write(partial(_end_run, run_id=run_id, values=values))
        except JournalError as error:
            if error.code == _ENDED_TWICE:
                raise
            raise JournalError(
                "journal.end_not_written",
                f"Run {run_id} is over ({verdict.value}), but the journal could not be told: {error.summary}",
                impact=reason,
                hint=f"Make room, look at the app, then `orchestrator close {run_id}`.",
            ) from error

    @property
    def short_of_room(self) -> bool:
        """Whether a record has needed the room held for the way back, or the next one probably would."""
        with translated(self.path):
            return self._reserve_used or self._reserve.free_bytes() < _ROOM_FOR_RECORDS

    def free_reserve(self) -> None:
        """Give up the room that was held: what begins now must come to its end."""
        with translated(self.path):
            self._reserve.free()

    def runs(self) -> tuple[Run, ...]:
        """All runs, the one that began last first, whatever the clock said."""
        return self._select_runs("ORDER BY rowid DESC")

    def find_run(self, run_id: str) -> Run | None:
        """The run with this id."""
        return next(iter(self._select_runs("WHERE id = ?", run_id)), None)

    def find_unfinished(self) -> Run | None:
        """A run without an end: one that is at work, or was cut off."""
        return next(iter(self._select_runs("WHERE verdict IS NULL ORDER BY rowid DESC LIMIT 1")), None)

    def records(self, run_id: str) -> tuple[Record, ...]:
        """All records of a run in the order in which they were written."""
        with translated(self.path):
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
        return join_facts(self.records(run_id))

    def ledger(self) -> Ledger:
        """What runs have made: the table, or in a file without one what its records say."""
        with translated(self.path):
            return read_ledger(self._connection)

    def count(self) -> tuple[int, int, int]:
        """Runs, ends and records: while they are the same, nothing has happened. The other methods cost more."""
        with translated(self.path):
            row = self._connection.execute(
                "SELECT COUNT(*), COUNT(verdict), (SELECT COUNT(*) FROM records) FROM runs"
            ).fetchone()
        return row[0], row[1], row[2]

    def _select_runs(self, clauses: str, *values: str) -> tuple[Run, ...]:
        with translated(self.path):
            rows = self._connection.execute(f"SELECT * FROM runs {clauses}", values).fetchall()  # noqa: S608 - all ours
        return tuple(_run(row) for row in rows)

    def _find_newest(self, run_id: str) -> datetime | None:
        with translated(self.path):
            of_run = self._connection.execute(
                "SELECT at FROM records WHERE run_id = ? ORDER BY seq DESC LIMIT 1", (run_id,)
            ).fetchone()
            found = (
                of_run
                or self._connection.execute(
                    "SELECT COALESCE(ended_at, began_at) FROM runs WHERE id <> ? ORDER BY rowid DESC LIMIT 1", (run_id,)
                ).fetchone()
            )
        return datetime.fromisoformat(found[0]) if found else None

    def _write(self, change: Callable[[sqlite3.Connection], None]) -> None:
        """Change it durably, on a full disk with the room that was held."""
        with translated(self.path):
            try:
                return self._commit(change)
            except sqlite3.Error as error:
                if not (is_full(error) and self._reserve.free()):
                    raise
                self._reserve_used = True
            return self._commit(change)

    def _commit(self, change: Callable[[sqlite3.Connection], None]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            change(self._connection)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # a full disk may have ended it already
                self._connection.execute("ROLLBACK")
            raise


def join_facts(records: Iterable[Record]) -> Facts:
    """All that these records have proven."""
    facts = Facts()
    for record in records:
        facts = facts.joined(Facts(record.payload.get("facts")))
    return facts


def _mask_prose(value: Any, mask: Redactor) -> Any:
    if isinstance(value, Mapping):
        return {
            key: mask.text(inner) if key in _PROSE and isinstance(inner, str) else _mask_prose(inner, mask)
            for key, inner in value.items()
        }
    return [_mask_prose(inner, mask) for inner in value] if isinstance(value, list | tuple) else value


def _tell_clock(newest: datetime, at: datetime) -> str:
    back = timedelta(seconds=round((newest - at).total_seconds()))
    return f"The clock went back by {back} ({newest:%Y-%m-%d %H:%M} to {at:%Y-%m-%d %H:%M} UTC); nothing depends on it."


def _insert_run(connection: sqlite3.Connection, run: Run, tool_version: str) -> None:
    connection.execute(
        "INSERT INTO runs (id, plan_name, plan_sha256, plan_source, boot_id, pid, tool_version, request,"
        " began_at, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '')",
        (
            run.id, run.plan_name, run.plan_sha256, run.plan_source, run.boot_id, run.pid, tool_version,
            json.dumps(run.request), run.began_at.isoformat(),
        ),
    )  # fmt: skip
    seal(connection, run.id)


def _insert_record(
    connection: sqlite3.Connection, run_id: str, values: tuple[str, ...], rows: Sequence[Mapping[str, Any]]
) -> None:
    insert_record(connection, run_id, values)
    write_rows(connection, rows)


def _end_run(connection: sqlite3.Connection, run_id: str, values: tuple[str | int, ...]) -> None:
    changed = connection.execute(
        "UPDATE runs SET ended_at = ?, verdict = ?, end_state = ?, exit_code = ?, reason = ?"
        " WHERE id = ? AND verdict IS NULL",
        (*values, run_id),
    ).rowcount
    if changed != 1:
        raise JournalError(_ENDED_TWICE, f"Run {run_id} has an end already, or never began.")
    seal(connection, run_id)


def _run(row: sqlite3.Row) -> Run:
    return Run(
        id=row["id"], plan_name=row["plan_name"], plan_sha256=row["plan_sha256"], plan_source=row["plan_source"],
        pid=row["pid"], boot_id=row["boot_id"], request=json.loads(row["request"]),
        began_at=datetime.fromisoformat(row["began_at"]),
        ended_at=datetime.fromisoformat(row["ended_at"]) if row["ended_at"] else None,
        verdict=Verdict(row["verdict"]) if row["verdict"] else None,
        end_state=row["end_state"], exit_code=row["exit_code"], reason=row["reason"] or "",
    )  # fmt: skip
