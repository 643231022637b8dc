"""Brings the database to the schema of a release, and tells which schema it has.

`schema_version` holds a row for each migration. A migration that runs outside a transaction has its row
before its first statement, unfinished; if it fails half-way the row stays so, and neither migration nor app
goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from .release import Migration, Release

_LOCK_KEY = 0x6C656467  # "ledg"
_CREATE = b"""
CREATE TABLE IF NOT EXISTS schema_version (
    version     integer PRIMARY KEY,
    name        text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz
)"""


class MigrationError(Exception):
    """The database cannot be brought to the release's schema; the message says why."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Which schema a database has; 0 is an empty database."""

    version: int = 0
    unfinished: str | None = None


def migrate(connection: psycopg.Connection, release: Release, say: Callable[[str], None]) -> None:
    """Apply what is pending, one migration after the other; two at once wait for each other.

    The connection is in autocommit mode. Raises `MigrationError`; `psycopg.Error` when the database is lost.
    """
    connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK_KEY,))
    connection.execute(_CREATE)
    schema = read_schema(connection)
    pending = choose_pending(schema, release)
    say(f"database has schema {schema.version}, release {release.version} needs {release.schema}")
    for migration in pending:
        say(f"applying {migration.name}")
        try:
            _apply(connection, migration)
        except psycopg.DatabaseError as error:
            raise MigrationError(f"{migration.name} failed: {error}") from error
    say(f"database has schema {release.schema}, {len(pending)} migrations applied")


def choose_pending(schema: Schema, release: Release) -> list[Migration]:
    """Migrations still to apply, in order; raises `MigrationError` when none can be."""
    if schema.unfinished is not None:
        raise MigrationError(f"{schema.unfinished} was begun and never finished; restore the database")
    if schema.version not in {0, *(migration.schema for migration in release.migrations)}:
        raise MigrationError(f"release {release.version} does not know the database's schema {schema.version}")
    return [migration for migration in release.migrations if migration.schema > schema.version]


def read_schema(connection: psycopg.Connection) -> Schema:
    """Read the schema; raises `psycopg.errors.UndefinedTable` for a database that was never migrated."""
    rows = connection.execute("SELECT version, name, finished_at IS NULL FROM schema_version").fetchall()
    unfinished = [name for _, name, open_ended in rows if open_ended]
    finished = [version for version, _, open_ended in rows if not open_ended]
    return Schema(max(finished, default=0), unfinished[0] if unfinished else None)


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    if migration.stepwise:
        _apply_stepwise(connection, migration)
        return
    with connection.transaction():
        connection.execute(migration.sql.encode())
        connection.execute(
            "INSERT INTO schema_version (version, name, finished_at) VALUES (%s, %s, clock_timestamp())",
            (migration.schema, migration.name),
        )


def _apply_stepwise(connection: psycopg.Connection, migration: Migration) -> None:
    connection.execute("INSERT INTO schema_version (version, name) VALUES (%s, %s)", (migration.schema, migration.name))
    for statement in migration.statements:
        connection.execute(statement.encode())
    connection.execute(
        "UPDATE schema_version SET finished_at = clock_timestamp() WHERE version = %s", (migration.schema,)
    )
