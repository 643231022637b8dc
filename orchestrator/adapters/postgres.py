"""A PostgreSQL server in a container, spoken to by the programs of its own image over its local socket.

The official image trusts whoever is inside the container, so no password is read, kept or passed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn

import structlog
from pydantic import TypeAdapter

from orchestrator.adapters import postgres_sql as sql
from orchestrator.adapters.container_exec import ContainerExec, Outcome
from orchestrator.adapters.dump_scan import require_whole
from orchestrator.deadline import Deadline
from orchestrator.errors import DatabaseError, StateError
from orchestrator.model import DatabaseFacts, Session

_SHORT_S = 60.0
_CHANGE_S = 600.0
_SWAP_ATTEMPTS = 5
_OLDEST_VERSION = 120000
_NO_CONNECTION = 2  # exit code of psql
_OBJECT_IN_USE = "55006"
_APPLICATION = "upgrade-orchestrator"
_OPTIONS = (
    "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
    " -c default_transaction_read_only=off -c client_min_messages=warning"
)
_PSQL = ("psql", "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose")
# Words of the server's sentences for a refused log-in, which comes without a code.
_REFUSALS = ("authentication", "password", "pg_hba", "role ")

_log = structlog.get_logger(__name__)
_SESSIONS = TypeAdapter(tuple[Session, ...])
_SIZES = TypeAdapter(dict[str, int])


class Postgres:
    """The database ``name`` as the superuser ``user``; both as the container was set up where they are None."""

    def __init__(self, executor: ContainerExec, user: str | None, name: str | None) -> None:
        self._executor = executor
        self._given_user = user
        self._given_name = name
        self._application = f"{_APPLICATION}-{secrets.token_hex(4)}"

    def inspect(self) -> DatabaseFacts:
        """The live database. ``database.unreachable``, ``.authentication``, ``.missing``, ``.version``."""
        _, name = self._account()
        version = self._version(name)
        if version < _OLDEST_VERSION:
            raise DatabaseError(
                "database.version",
                f"The server is PostgreSQL {version // 10000}; 12 is the oldest that is known to work.",
                hint="Upgrade PostgreSQL first.",
            )
        facts = json.loads(self._ask(sql.build_facts(name), name))
        directory = facts.pop("directory")
        return DatabaseFacts(name=name, free_bytes=self._free_bytes(directory), **facts)

    def sizes(self) -> Mapping[str, int]:
        """All databases of the server with their sizes in bytes."""
        return _SIZES.validate_json(self._ask(sql.build_sizes(), self._maintenance()))

    def sessions(self, name: str) -> tuple[Session, ...]:
        """Who is connected, ourselves left out."""
        return _SESSIONS.validate_json(self._ask(sql.build_sessions(name), self._maintenance(name)))

    def rows(self, name: str, *, deadline: Deadline) -> dict[str, int]:
        """Exact number of rows of each table whose data a dump has, all counted in one transaction."""
        rows: dict[str, int] = {}
        for line in self._ask(sql.build_rows(), name, deadline).splitlines():
            schema, table, count = json.loads(line)
            key = f"{schema}.{table}"
            rows[key] = rows.get(key, 0) + count
        return rows

    def dump(self, write: Callable[[bytes], None], *, deadline: Deadline) -> None:
        """Stream a plain SQL dump of the live database. ``database.dump_failed``, ``database.locked``."""
        user, name = self._account()
        argv = ["pg_dump", "--format=plain", "--encoding=UTF8", "--lock-wait-timeout=30s", "--no-password"]
        argv += ["-U", user, "-d", sql.quote_connection(name)]
        ended = False
        try:
            outcome = self._executor.stream(argv, write, deadline=deadline, environment=self._environment())
            ended = True
        finally:
            if not ended:
                self._end_own_programs()
        if outcome.exit_code != 0:
            self._refuse_dump(outcome, name)

    def copy(self, source: str, name: str, *, deadline: Deadline) -> None:
        """Copy a database nobody is connected to, with owner, grants and settings. ``database.in_use``."""
        properties = self._properties(source)
        maintenance = self._maintenance(source)
        self._create(name, sql.build_copy(source, name, properties), maintenance, deadline, source=source)
        try:
            self._ask(sql.build_equipment(name, properties), maintenance, deadline)
        except BaseException:
            self._discard(name)
            raise

    def restore(self, chunks: Iterable[bytes], name: str, *, like: str, deadline: Deadline) -> None:
        """Create ``name`` like ``like`` and load a plain dump, or leave nothing. ``database.restore_failed``."""
        properties = self._properties(like)
        maintenance = self._maintenance()
        self._create(name, sql.build_empty(name, properties), maintenance, deadline, source=like)
        try:
            self._load(chunks, name, deadline)
            self._ask(sql.build_equipment(name, properties), maintenance, deadline)
        except BaseException:
            self._discard(name)
            raise

    def swap(self, live: str, replacement: str, aside: str) -> None:
        """In one transaction: ``live`` → ``aside`` and ``replacement`` → ``live``. ``database.in_use``."""
        maintenance = self._maintenance(live)
        statements = sql.build_swap(live, replacement, aside)
        deadline = self._executor.allow(_SHORT_S, "The swap of two databases")
        for _ in range(_SWAP_ATTEMPTS):
            outcome = self._psql(statements, maintenance, deadline)
            if outcome.exit_code == 0:
                return
            if _OBJECT_IN_USE not in outcome.errors:
                self._refuse(outcome, maintenance, "database.swap_failed")
            deadline.pause(0.2)  # a session that was told to end, or a client that is back already
        self._refuse_in_use(live)

    def terminate_sessions(self, name: str) -> int:
        """End every session on the database but our own; how many there were."""
        return int(self._ask(sql.build_terminate(name), self._maintenance(name)))

    def drop(self, name: str) -> None:
        """Drop a database, if there is one. ``database.in_use`` where somebody is connected."""
        maintenance = self._maintenance(name)
        deadline = self._executor.allow(_CHANGE_S, "Dropping a database")
        outcome = self._psql(sql.build_drop(name), maintenance, deadline)
        if _OBJECT_IN_USE in outcome.errors:
            self._refuse_in_use(name)
        if outcome.exit_code != 0:
            self._refuse(outcome, maintenance, "database.failed")

    def _create(self, name: str, statement: str, maintenance: str, deadline: Deadline, *, source: str) -> None:
        ours = False
        try:
            outcome = self._psql(statement, maintenance, deadline)
            ours = True
        finally:
            if not ours:
                self._end_own_programs()
        if _OBJECT_IN_USE in outcome.errors:
            self._refuse_in_use(source)
        if outcome.exit_code != 0:
            self._refuse(outcome, maintenance, "database.failed")

    def _load(self, chunks: Iterable[bytes], name: str, deadline: Deadline) -> None:
        argv = [
            *_PSQL,
            "--single-transaction",
            "-o",
            "/dev/null",
            "-U",
            self._account()[0],
            "-d",
            sql.quote_connection(name),
        ]
        outcome = self._executor.run(
            argv, stdin=require_whole(chunks), deadline=deadline, environment=self._environment()
        )
        if outcome.exit_code != 0:
            raise DatabaseError(
                "database.restore_failed",
                f"The dump could not be loaded: {_reason(outcome.errors)}",
                meaning="The new database was dropped again; the live one was not touched.",
            )

    # Our own loader may still be at work in it: a connection that is cut does not end the program.
    # What it fails of is logged, for the error that led here is the one to be read.
    def _discard(self, name: str) -> None:
        self._end_own_programs()
        try:
            self.terminate_sessions(name)
            self.drop(name)
        except StateError as error:
            _log.warning("database.left_behind", database=name, reason=error.what)

    def _end_own_programs(self) -> None:
        try:
            self._ask(sql.build_terminate_application(self._application), self._maintenance())
        except StateError as error:
            _log.warning("database.program_left", application=self._application, reason=error.what)

    def _properties(self, name: str) -> sql.Properties:
        maintenance = self._maintenance(name)
        found = self._ask(sql.build_properties(name, self._version(maintenance)), maintenance)
        if not found:
            _refuse_missing(name)
        return sql.Properties.model_validate_json(found)

    def _version(self, name: str) -> int:
        return int(self._ask("SELECT current_setting('server_version_num');", name))

    def _free_bytes(self, directory: str) -> int | None:
        deadline = self._executor.allow(_SHORT_S, "Reading the free space")
        outcome = self._executor.run(["df", "-Pk", directory], deadline=deadline)
        fields = outcome.output.decode().splitlines()[-1:] if outcome.exit_code == 0 else []
        return int(fields[0].split()[3]) * 1024 if fields else None

    def _account(self) -> tuple[str, str]:
        if self._given_user is not None and self._given_name is not None:
            return self._given_user, self._given_name
        environment = self._executor.read_environment()
        user = self._given_user or environment.get("POSTGRES_USER") or "postgres"
        return user, self._given_name or environment.get("POSTGRES_DB") or user

    # Nobody can rename or copy the database that he is connected to.
    def _maintenance(self, *names: str) -> str:
        return "template1" if "postgres" in (*names, self._account()[1]) else "postgres"

    def _ask(self, statements: str, database: str, deadline: Deadline | None = None) -> str:
        outcome = self._psql(statements, database, deadline or self._short())
        if outcome.exit_code != 0:
            self._refuse(outcome, database, "database.failed")
        return outcome.output.decode().strip()

    def _psql(self, statements: str, database: str, deadline: Deadline) -> Outcome:
        argv = [*_PSQL, "-U", self._account()[0], "-d", sql.quote_connection(database)]
        stdin = [statements.encode() + b"\n"]
        return self._executor.run(argv, stdin=stdin, deadline=deadline, environment=self._environment())

    def _environment(self) -> Mapping[str, str]:
        return {"PGAPPNAME": self._application, "PGOPTIONS": _OPTIONS, "PGCLIENTENCODING": "UTF8"}

    def _refuse_dump(self, outcome: Outcome, name: str) -> NoReturn:
        if "LOCK TABLE" in outcome.errors:
            raise DatabaseError(
                "database.locked",
                f"A table was locked for 30 s, so the dump gave up: {_reason(outcome.errors)}",
                meaning="The app goes on as before; there is no new backup.",
                hint="Find out who holds the lock in `pg_locks` and try again.",
            )
        probe = self._psql("SELECT 1;", name, self._short())
        self._refuse(outcome if probe.exit_code == 0 else probe, name, "database.dump_failed")

    def _refuse(self, outcome: Outcome, database: str, code: str) -> NoReturn:
        if outcome.exit_code == _NO_CONNECTION:
            self._refuse_connection(outcome, database)
        raise DatabaseError(code, f"PostgreSQL refused: {_reason(outcome.errors)}")

    # The client gives no code for a refused connection, so most of it is found out by asking elsewhere.
    def _refuse_connection(self, outcome: Outcome, database: str) -> NoReturn:
        ready = self._executor.run(["pg_isready", "-q"], deadline=self._short()).exit_code == 0
        asked = self._psql(sql.build_exists(database), self._maintenance(database), self._short())
        if ready and asked.exit_code == 0 and asked.output.strip() == b"f":
            _refuse_missing(database)
        if ready and any(word in outcome.errors for word in _REFUSALS):
            raise DatabaseError(
                "database.authentication",
                f"PostgreSQL does not let us in: {_reason(outcome.errors)}",
                meaning="The database cannot be looked at or changed.",
                hint="Inside its container the local socket must trust the superuser, as in the official image.",
            )
        raise DatabaseError(
            "database.unreachable",
            f"PostgreSQL does not answer: {_reason(outcome.errors)}",
            meaning="The database cannot be looked at or changed.",
            hint="Wait until it is up; `docker compose logs` of its service says more.",
        )

    def _refuse_in_use(self, name: str) -> NoReturn:
        who = ", ".join(f"{each.application or 'unnamed'} ({each.user}, {each.pid})" for each in self.sessions(name))
        raise DatabaseError(
            "database.in_use",
            f"Database {name!r} is in use: {who or 'by a session that has ended meanwhile'}.",
            meaning="It was not changed.",
            hint="Stop what is connected to it and try again.",
        )

    def _short(self) -> Deadline:
        return self._executor.allow(_SHORT_S, "A question to the database")


def _refuse_missing(name: str) -> NoReturn:
    raise DatabaseError(
        "database.missing",
        f"The server has no database {name!r}.",
        hint="Set `database.name` in the plan to one that `psql --list` shows.",
    )


def _reason(errors: str) -> str:
    """The first ``ERROR`` or ``FATAL`` of what a program said, otherwise its last line."""
    lines = errors.splitlines() or ["it gave no reason"]
    return next((line for line in lines if "ERROR:" in line or "FATAL:" in line), lines[-1])
