"""The file of the journal: opening it, its tables and their formats, and whether it still is what was written.

Every commit is on disk, and in the database itself and not only in its log, before the next step is taken: a log that
is damaged ends without a word where the damage begins.

Format 1 had neither links nor seals, format 2 no ledger; such a file is read as it is, and gets them when it is opened
for writing.
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from orchestrator.core.errors import JournalError, RefusedError
from orchestrator.journal.file_permissions import require_own
from orchestrator.journal.integrity import build_record_hash, find_damage
from orchestrator.journal.ledger_table import LEDGER_TABLE, carry_over, derive_rows, read_rows
from orchestrator.journal.record_rows import read_last, seal
from orchestrator.journal.reserve import RESERVE_BYTES

FORMAT = 3
NO_SPACE = "journal.no_space"

_NAME = "journal.sqlite3"
_UNCHAINED, _WITHOUT_LEDGER = 1, 2
_PRIMARY_CODE = 0xFF
_RECORDS = "SELECT run_id, seq, at, record, state, payload, link FROM records WHERE run_id = ? ORDER BY seq"
_TABLES = """
CREATE TABLE runs (
  id TEXT PRIMARY KEY, plan_name TEXT NOT NULL, plan_sha256 TEXT NOT NULL, plan_source TEXT NOT NULL,
  boot_id TEXT NOT NULL, pid INTEGER NOT NULL, tool_version TEXT NOT NULL, request TEXT NOT NULL,
  began_at TEXT NOT NULL, ended_at TEXT, verdict TEXT, end_state TEXT, exit_code INTEGER, reason TEXT,
  seal TEXT NOT NULL
);
CREATE TABLE records (
  run_id TEXT NOT NULL REFERENCES runs(id), seq INTEGER NOT NULL, at TEXT NOT NULL,
  record TEXT NOT NULL, state TEXT NOT NULL, payload TEXT NOT NULL, link TEXT NOT NULL,
  PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;
"""


class Verified(NamedTuple):
    """The content that was found to be whole: its version as one connection counts it, and the number of the file."""

    version: int
    inode: int


class Opened(NamedTuple):
    """The file, open for reading. ``verified`` is None in format 1, which has nothing to verify by."""

    connection: sqlite3.Connection
    verified: Verified | None


def open_for_writing(directory: Path, is_verified: Callable[[], bool] = lambda: False) -> sqlite3.Connection:
    """Open the file in ``directory``, made if it is not there, and see that it is whole.

    ``is_verified`` says, once nobody else can write, whether it was found to be whole as it is now.

    Raises:
        RefusedError: ``refused.no_space``.
        JournalError: ``journal.not_private``, ``journal.newer_format``, ``journal.damaged``, ``journal.unusable``.
    """
    path = directory / _NAME
    with refused_without_room(directory), translated(path):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_own(directory, path)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        with _closed_on_error(connection, path):
            connection.row_factory = sqlite3.Row
            check_format(connection, path)  # before a setting writes into what may be damaged
            for setting in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=1"):
                connection.execute(f"PRAGMA {setting}")
            connection.execute("BEGIN IMMEDIATE")
            known = is_verified()
            before = check_format(connection, path)
            if before == _WITHOUT_LEDGER and (problem := _find_problem(connection, before)):
                raise _damaged(path, problem)  # nothing is carried over that was altered
            _bring_to_format(connection, before)
            connection.execute("COMMIT")
            if not known or before != FORMAT:
                require_whole(connection, path)
    return connection


def open_for_reading(directory: Path) -> Opened | None:
    """Open the file, and see that it is whole; None where there is none, or somebody is just making it.

    Raises:
        JournalError: as `open_for_writing`.
    """
    path = directory / _NAME
    if not path.is_file():
        return None
    with translated(path):
        require_own(directory, path)
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10.0
        )
        with _closed_on_error(connection, path):
            connection.row_factory = sqlite3.Row
            version = check_format(connection, path)
            verified = require_whole(connection, path) if version > _UNCHAINED else None
    if version:
        return Opened(connection, verified)
    connection.close()
    return None


def check_format(connection: sqlite3.Connection, path: Path) -> int:
    """The format of the file, 0 if it is new. Raises `JournalError`: ``journal.newer_format``, ``journal.damaged``."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > FORMAT:
        raise JournalError(
            "journal.newer_format",
            f"The journal {path} was written by a newer version of orchestrator.",
            impact="Nothing was touched.",
            hint="Use that version or a newer one.",
        )
    empty = not _read_schema(connection)
    if version < 0 or (version > 0) == empty:
        raise _damaged(path, "its tables are not those of its format")
    # A run has its folder only when the journal knows of it.
    if empty and any((path.parent / "runs").glob("*")):
        raise _damaged(path, "it is empty, but there were runs")
    return version


def is_unchanged(connection: sqlite3.Connection, verified: Verified | None) -> bool:
    """Whether nobody has written to the file since this connection has found it to be whole."""
    path = Path(connection.execute("PRAGMA database_list").fetchone()["file"])
    return verified == Verified(_read_data_version(connection), path.stat().st_ino)


def require_whole(connection: sqlite3.Connection, path: Path) -> Verified:
    """See that nothing in the file was altered or lost. Raises `JournalError`, ``journal.damaged``."""
    connection.execute("BEGIN")  # one view of it, whoever writes meanwhile
    try:
        problem = _find_problem(connection, int(connection.execute("PRAGMA user_version").fetchone()[0]))
        verified = Verified(_read_data_version(connection), path.stat().st_ino)
    finally:
        connection.execute("ROLLBACK")
    if problem:
        raise _damaged(path, problem)
    return verified


# It counts what other connections have committed, and only for the connection that is asked.
def _read_data_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _bring_to_format(connection: sqlite3.Connection, version: int) -> None:
    if version == FORMAT:
        return
    if version <= _UNCHAINED:
        _add_links(connection, with_runs=version == _UNCHAINED)
    connection.execute(LEDGER_TABLE)
    carry_over(connection)
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def _add_links(connection: sqlite3.Connection, *, with_runs: bool) -> None:
    """Make the tables of format 2; runs of format 1 get links and seals."""
    runs, records = [], []
    if with_runs:
        runs = connection.execute("SELECT * FROM runs ORDER BY rowid").fetchall()
        records = connection.execute("SELECT * FROM records ORDER BY run_id, seq").fetchall()
        connection.execute("DROP TABLE records")
        connection.execute("DROP TABLE runs")
    for statement in _TABLES.split(";")[:-1]:
        connection.execute(statement)
    connection.executemany(
        "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')", [tuple(run) for run in runs]
    )
    for record in records:
        values = tuple(record)
        link = build_record_hash(read_last(connection, values[0])[1], values)
        connection.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, link))
    for run in runs:
        seal(connection, run["id"])


def _find_problem(connection: sqlite3.Connection, version: int) -> str:
    found = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        return str(found)
    with closing(sqlite3.connect(":memory:")) as model:
        model.executescript(_TABLES + (LEDGER_TABLE if version > _WITHOUT_LEDGER else ""))
        if _read_schema(connection) != _read_schema(model):
            return "its tables are not those of its format"
    runs = connection.execute("SELECT * FROM runs ORDER BY rowid").fetchall()
    known = {run["id"] for run in runs}
    if any(row["run_id"] not in known for row in connection.execute("SELECT DISTINCT run_id FROM records")):
        return "it has records of a run that is missing"
    damages = (find_damage(dict(run), map(tuple, connection.execute(_RECORDS, (run["id"],)))) for run in runs)
    problem = next(filter(None, damages), "")
    if not problem and version > _WITHOUT_LEDGER and read_rows(connection) != derive_rows(connection):
        return "its ledger is not what its records say"
    return problem


def _read_schema(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name").fetchall()
    return [tuple(row) for row in found]


def _damaged(path: Path, problem: str) -> JournalError:
    return JournalError(
        "journal.damaged",
        f"The journal {path} is not what was written: {problem}.",
        impact="Nothing was touched, the journal included.",
        hint="Put it back from a copy. Without one: look after the app by hand, then move the journal away; backups and"
        " databases that earlier runs have kept are not known any more then.",
    )


@contextmanager
def _closed_on_error(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    try:
        yield
    except ValueError as error:  # what the library cannot make a text of
        connection.close()
        raise _damaged(path, "it holds bytes that are no text") from error
    except BaseException:
        connection.close()
        raise


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Errors of the file become `JournalError`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise JournalError(
            NO_SPACE if is_full(error) else "journal.unusable",
            f"The journal {path} cannot be used: {error}.",
            impact="Nothing is done that it does not know: what was under way has stopped where it was.",
            hint="Look at the rights of its folder and the room on its disk; then `orchestrator status` shows how far"
            " the newest run is, and `orchestrator run` how to bring the old version back if it was cut off.",
        ) from error


@contextmanager
def refused_without_room(directory: Path) -> Iterator[None]:
    """A full disk becomes `RefusedError`, where nothing has begun yet."""
    try:
        yield
    except JournalError as error:
        if error.code != NO_SPACE:
            raise
        raise RefusedError(
            "refused.no_space",
            f"There is no room for the journal in {directory}: {RESERVE_BYTES // 1024} KiB are needed for a way back.",
            impact="Nothing was touched.",
            hint="Make room; nothing is deleted automatically to make it.",
        ) from error


def is_full(error: sqlite3.Error | OSError) -> bool:
    """Whether there was no room. The file that cannot grow is not always the one that says that it is full."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY_CODE in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
