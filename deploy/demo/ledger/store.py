"""Reads and writes the entries; every function takes a connection in autocommit mode."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from .chain import Entry, Verdict, next_entry, verify
from .migrations import read_schema
from .release import Release

_WRITERS_LOCK = 0x63686169  # "chai"
_ENTRY = ("id", "body", "prev_hash", "hash")


def find_obstacle(connection: psycopg.Connection, release: Release) -> str | None:
    """Why `release` cannot work with this database, or None; looks at the columns too."""
    try:
        schema = read_schema(connection)
        connection.execute(_select(release.fields, "LIMIT 0"))
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        return f"the database is not migrated: {error.diag.message_primary}"
    if schema.unfinished is not None:
        return f"migration {schema.unfinished} was begun and never finished"
    if schema.version != release.schema:
        return f"the database has schema {schema.version}, release {release.version} needs {release.schema}"
    return None


def append(connection: psycopg.Connection, body: str) -> Entry:
    """Add an entry to the chain; it is committed when this returns.

    Raises `psycopg.Error` when it is not, or when nobody can tell.
    """
    with connection.transaction():
        # Writers queue up here: each must see the entry of the one before it.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_WRITERS_LOCK,))
        entry = next_entry(read_last(connection), body)
        connection.execute(
            "INSERT INTO entries (id, body, prev_hash, hash) VALUES (%s, %s, %s, %s)",
            (entry.id, entry.body, entry.prev_hash, entry.hash),
        )
    return entry


def read_last(connection: psycopg.Connection) -> Entry | None:
    """Read the newest entry, if there is one."""
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(_select((), "ORDER BY id DESC LIMIT 1")).fetchone()


def read_page(connection: psycopg.Connection, release: Release, after: int, limit: int) -> list[dict[str, Any]]:
    """Read up to `limit` entries with ids above `after`, in order, with the fields that the release shows."""
    with connection.cursor(row_factory=dict_row) as cursor:
        query = _select(release.fields, "WHERE id > %s ORDER BY id LIMIT %s")
        return cursor.execute(query, (after, limit)).fetchall()


def read_newest(connection: psycopg.Connection, release: Release, limit: int) -> list[dict[str, Any]]:
    """Read the newest `limit` entries, newest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_select(release.fields, "ORDER BY id DESC LIMIT %s"), (limit,)).fetchall()


def verify_chain(connection: psycopg.Connection) -> Verdict:
    """Walk all entries, streamed from one consistent view of the table."""
    with (
        connection.transaction(),
        connection.cursor(name="chain", row_factory=class_row(Entry)) as cursor,
    ):
        cursor.itersize = 5000
        cursor.execute(_select((), "ORDER BY id"))
        return verify(cursor)


def _select(fields: Sequence[str], rest: str) -> sql.Composed:
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in (*_ENTRY, *fields))
    return sql.SQL("SELECT {} FROM entries {}").format(columns, sql.SQL(rest))
