"""Questions and statements to a PostgreSQL server through the ``psql`` of its own container.

The official image trusts whoever is inside the container, so no password is read, kept or passed.
"""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NoReturn

from orchestrator.adapters.docker.container_exec import ContainerExec, ExecResult
from orchestrator.adapters.postgres import programs, sql
from orchestrator.adapters.postgres.port import find_other_place
from orchestrator.adapters.postgres.psql_session import PsqlSession
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DatabaseError, StateError
from orchestrator.core.log import warn

OBJECT_IN_USE = "55006"
NO_SPACE = "53100"

_KEPT_UP = "postgres"
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)  # psql takes it for a database's name, as it stands
_SHORT_S = 60.0
_NO_CONNECTION = 2  # exit code of psql
_SIGNALLED = 128  # above: it was killed, as it is when its container is
_APPLICATION = "upgrade-orchestrator"
# Words of the server's sentences for a refused log-in, which comes without a code.
_REFUSALS = ("authentication", "password", "pg_hba", "role ")
_NO_RIGHT = "permission denied to set parameter"  # one that each session of ours asks for
_FULL = ("too many clients", "connection slots are reserved")
# `pg_dump` ends with 1 for all that goes wrong, a full server among it; these words are libpq's for a server that
# crashed, not for one that ended the session because somebody asked it to.
_CRASHED = "server closed the connection unexpectedly"
_ASKED_TO_END = "administrator command"


class Psql:
    """The server as the superuser ``user``, ``name`` its live database; None: as the container was set up."""

    def __init__(self, executor: ContainerExec, user: str | None, name: str | None) -> None:
        self.executor = executor
        self._given_user = user
        self._given_name = name
        self._application = f"{_APPLICATION}-{secrets.token_hex(4)}"
        self._account: tuple[str, str] | None = None
        self._session: PsqlSession | None = None
        self._offered: Mapping[str, str] | None = None
        self._client: str | None = None
        self._place: Mapping[str, str] = {}

    def account(self) -> tuple[str, str]:
        """User and live database."""
        if self._account is None:
            self._account = self._find_account()
        return self._account

    def _find_account(self) -> tuple[str, str]:
        if self._given_user is not None and self._given_name is not None:
            return self._given_user, self._given_name
        environment = self.executor.read_environment()
        user = self._given_user or environment.get("POSTGRES_USER") or "postgres"
        return user, self._given_name or environment.get("POSTGRES_DB") or user

    @property
    def application(self) -> str:
        """The name that our sessions give themselves."""
        return self._application

    @property
    def place(self) -> Mapping[str, str]:
        """The variables by which a client finds a server that listens elsewhere than where everybody looks."""
        return self._place

    def maintenance(self, *names: str) -> str:
        """A database to be connected to while one of ``names`` is renamed or copied."""
        return "template1" if "postgres" in (*names, self.account()[1]) else "postgres"

    def environment(self, more: Mapping[str, str] | None = None) -> Mapping[str, str]:
        """What each program of ours gets: a name of its own, and settings that nobody else's can take the place of."""
        settings = {**programs.PINNED, **self._find_offered(), **(more or {})}
        return {**programs.build_environment(self._application, settings), **self._place}

    # A log-in may run a trigger from PostgreSQL 17 on, so the settings against it are not put off until the version
    # is known: they are asked for, and left out where the server refuses one by its name. What the container says of
    # its version saves a refusal.
    def _find_offered(self) -> Mapping[str, str]:
        if self._offered is not None:
            return self._offered
        offered = programs.choose_offered(self._read_environment())
        while self._offered is None and offered:
            settings = programs.build_environment(self._application, {**programs.PINNED, **offered})
            outcome = self._log_in({**settings, **self._place})
            refused = [name for name in offered if name in outcome.errors] if outcome.exit_code else []
            if not refused and outcome.exit_code and self._learn_place():
                continue
            if not refused:
                self._offered = offered if outcome.exit_code == 0 else None
                break
            offered = {name: value for name, value in offered.items() if name not in refused}
        return offered

    def _read_environment(self) -> Mapping[str, str]:
        with suppress(StateError):
            return self.executor.read_environment()
        return {}

    # The session that answers is the one that stays.
    def _log_in(self, environment: Mapping[str, str]) -> ExecResult:
        short = self.allow("A first question to the database server")
        if self._kept_up is None:
            argv = programs.build_psql(self.account()[0], self.maintenance(), "-c", "SELECT")
            return self.executor.run(argv, deadline=short, environment=environment)
        session = PsqlSession(self.executor, self._build_argv(_KEPT_UP), environment)
        answer = session.ask("SELECT;", short)
        outcome = answer[0] if answer is not None else ExecResult(_NO_CONNECTION, b"", "")
        if outcome.exit_code == 0:
            self._session = session
        return outcome

    def require_fixed_client(self) -> None:
        """Refuse clients with which a database could put commands into a dump of it. ``database.client``."""
        fault = self._find_fault()
        if fault is not None:
            raise DatabaseError(
                "database.client",
                f"The database's container has {fault}. What a database holds can put commands into a dump of such a"
                " version (CVE-2025-8714, CVE-2025-8715).",
                impact="No dump was made or loaded; nothing was touched.",
                hint="Update the image of the database within its major version, and try again.",
            )

    def lock_out_commands(self) -> Iterator[bytes]:
        """What is put before a text that is not ours: ``psql`` obeys no command of its own in it, where it can."""
        if self._find_fault() is None:
            yield f"\\restrict {secrets.token_hex(16)}\n".encode()

    def _find_fault(self) -> str | None:
        if self._client is None:
            short = self.allow("Asking the database's client for its version")
            self._client = self.executor.run(programs.build_version(), deadline=short).output.decode("utf-8", "replace")
        return programs.find_fault(self._client)

    # After a first question that failed: whether the server listens elsewhere than where everybody looks.
    def _learn_place(self) -> bool:
        before = self._place
        with suppress(StateError):
            self._place = find_other_place(self.executor)
        return self._place != before

    def allow(self, what: str, seconds: float = _SHORT_S) -> Deadline:
        """A deadline of our own, for what must not take long."""
        return self.executor.allow(seconds, what)

    def ask(self, statements: str, database: str, deadline: Deadline | None = None) -> str:
        """The answer of statements that must work, and that may be repeated."""
        within = deadline or self.allow("A question to the database")
        if database == self._kept_up:
            outcome = self._ask_session(statements, within)
        else:  # what takes long has a deadline of its own, and would keep the session from everybody else
            outcome = self._visit(statements, database, within) if deadline is None else None
        outcome = outcome or self.run(statements, database, within)
        if outcome.exit_code != 0:
            self.refuse(outcome, database, "database.failed")
        return outcome.output.decode().strip()

    def attempt(self, statements: str, database: str, deadline: Deadline) -> ExecResult:
        """Statements that may fail, and are never put a second time."""
        if database == self._kept_up:
            self.ask("SELECT;", database)  # a session that was idle may be over: found out before it matters
            answer = self._find_session().ask(statements, deadline)
            if answer is not None:
                return answer[0]
        return self.run(statements, database, deadline)

    def run(self, statements: str, database: str, deadline: Deadline) -> ExecResult:
        """Statements that may fail, in a program of their own."""
        stdin = [statements.encode() + b"\n"]
        return self.executor.run(
            self._build_argv(database), stdin=stdin, deadline=deadline, environment=self.environment()
        )

    # To one database alone, which nobody copies, renames or closes: elsewhere a session would be in the way.
    @property
    def _kept_up(self) -> str | None:
        return None if self.account()[1] == _KEPT_UP else _KEPT_UP

    def _find_session(self) -> PsqlSession:
        environment = self.environment()  # the first time this leaves a session that is logged in
        if self._session is None:
            self._session = PsqlSession(self.executor, self._build_argv(_KEPT_UP), environment)
        return self._session

    def _ask_session(self, statements: str, deadline: Deadline) -> ExecResult | None:
        answer = self._find_session().ask(statements, deadline)
        # The server, or somebody in it, may have ended a session that was idle.
        return None if answer is None or (answer[1] and self.has_lost(answer[0])) else answer[0]

    # The session goes there and comes back, in a twentieth of the time that a program in the container takes. Where
    # that does not work, a program of its own says why.
    def _visit(self, statements: str, database: str, deadline: Deadline) -> ExecResult | None:
        if self._kept_up is None or not _PLAIN_NAME.fullmatch(database):
            return None
        there_and_back = f"\\connect {database}\n{statements}\n\\connect {_KEPT_UP}"
        outcome = self._ask_session(there_and_back, deadline)
        return outcome if outcome is not None and outcome.exit_code == 0 else None

    def _build_argv(self, database: str) -> list[str]:
        return programs.build_psql(self.account()[0], database)

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Open a fenced database for our own tool, and close it again; one that is not fenced stays as it is.

        Raises:
            DatabaseError: ``database.in_use``: somebody else came in with us, and may have written.
        """
        maintenance = self.maintenance(name)
        if self.ask(sql.build_fenced(name), maintenance) != "t":
            yield
            return
        self.ask(sql.build_fence(name, closed=False), maintenance)
        try:
            yield
        finally:
            # Closed before anybody is counted: who is not there now cannot come any more.
            self.ask(sql.build_fence(name, closed=True), maintenance)
        strangers = int(self.ask(sql.build_terminate_others(name, self._application), maintenance))
        if strangers:
            raise DatabaseError(
                "database.in_use",
                f"{strangers} others connected to {name!r} in the moment in which it was open for us.",
                impact="Their sessions were ended; what they may have written is still in it.",
                hint="Find out what connects to the database beside the app, and stop it.",
            )

    def end_own_programs(self) -> None:
        """End the sessions of programs of ours that outlived their connection; what fails is logged."""
        try:
            self.ask(sql.build_terminate_application(self._application), self.maintenance())
        except StateError as error:
            warn("database.program_left", application=self._application, reason=error.summary)

    def end_other_programs(self, deadline: Deadline) -> None:
        """End the sessions of programs of ours that other processes have begun, and wait until they are gone."""
        statement = sql.build_terminate_applications(_APPLICATION, but=self._application)
        deadline.poll(lambda: self.ask(statement, self.maintenance(), deadline) == "0" or None, every_s=0.1)

    def has_lost(self, outcome: ExecResult) -> bool:
        """Whether a program failed because it had no connection, or none any more, or ended with its container."""
        ended = outcome.exit_code == _NO_CONNECTION or outcome.exit_code > _SIGNALLED
        crashed = _CRASHED in outcome.errors and _ASKED_TO_END not in outcome.errors
        return outcome.exit_code != 0 and (ended or crashed or _is_full(outcome) or not outcome.errors)

    def refuse(self, outcome: ExecResult, database: str, code: str) -> NoReturn:
        """Raise what a failed program stands for."""
        if self.has_lost(outcome):
            self._refuse_connection(outcome, database)
        raise DatabaseError(code, f"PostgreSQL refused: {find_reason(outcome.errors)}")

    # The client gives no code for a refused connection, so most of it is found out by asking elsewhere.
    def _refuse_connection(self, outcome: ExecResult, database: str) -> NoReturn:
        self._offered = self._session = None  # when it is back, it may know other settings, and listen elsewhere
        short = self.allow("A question to the database")
        ready = self.executor.run(["pg_isready", "-q"], deadline=short, environment=self._place).exit_code == 0
        asked = self.run(sql.build_exists(database), self.maintenance(database), short)
        if ready and asked.exit_code == 0 and asked.output.strip() == b"f":
            refuse_missing(database)
        if ready and "not currently accepting connections" in outcome.errors:
            raise DatabaseError(
                "database.fenced",
                f"Database {database!r} lets nobody in: an upgrade has closed it, or somebody else.",
                impact="No app can work on it until it is opened.",
                hint=f'If no upgrade is at work: ALTER DATABASE "{database}" ALLOW_CONNECTIONS true;',
            )
        if _is_full(outcome):
            raise DatabaseError(
                "database.full",
                f"PostgreSQL has no connection left for us: {find_reason(outcome.errors)}",
                impact="The database cannot be looked at or changed.",
                hint="End what holds its connections, or raise max_connections.",
            )
        if ready and _NO_RIGHT in outcome.errors:
            raise DatabaseError(
                "database.rights",
                f"The role {self.account()[0]} is no superuser: {find_reason(outcome.errors)}",
                impact="The database cannot be copied, closed and swapped by it; nothing was touched.",
                hint="Name a superuser under `database: user:`.",
            )
        if ready and any(word in outcome.errors for word in _REFUSALS):
            raise DatabaseError(
                "database.authentication",
                f"PostgreSQL does not let us in: {find_reason(outcome.errors)}",
                impact="The database cannot be looked at or changed.",
                hint="Inside its container the local socket must trust the superuser, as in the official image.",
            )
        raise DatabaseError(
            "database.unreachable",
            f"PostgreSQL does not answer: {find_reason(outcome.errors)}",
            impact="The database cannot be looked at or changed.",
            hint="Wait until it is up; `docker compose logs` of its service says more.",
        )


def _is_full(outcome: ExecResult) -> bool:
    return any(word in outcome.errors for word in _FULL)


def refuse_missing(name: str) -> NoReturn:
    """Raise that there is no such database."""
    raise DatabaseError(
        "database.missing",
        f"The server has no database {name!r}.",
        hint="Set `database.name` in the plan to one that `psql --list` shows.",
    )


def has_state(outcome: ExecResult, sqlstate: str) -> bool:
    """Tell whether a statement failed with this SQLSTATE, which `psql` writes between severity and message."""
    return f":  {sqlstate}: " in outcome.errors


def find_reason(errors: str) -> str:
    """The first ``ERROR`` or ``FATAL`` of what a program said, then its own first error, otherwise its last line."""
    lines = errors.splitlines() or ["it gave no reason"]
    said = (line for words in ("ERROR:", "FATAL:", ": error: ") for line in lines if words in line)
    return next(said, lines[-1])
