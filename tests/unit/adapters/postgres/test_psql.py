from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import pytest

from orchestrator.adapters.docker.container_exec import ContainerExec, ExecResult
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.adapters.postgres.psql import OBJECT_IN_USE, Psql, has_state
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DatabaseError

BROKEN = ExecResult(3, b"", "ERROR:  42P01: there is no such table")
BY_PROGRAM = ExecResult(0, b"by a program\n", "")
ON_SOCKET = 'psql: error: connection to server on socket "/var/run/.s.PGSQL.5432" failed: FATAL:  '


class Server:
    """A container whose session breaks at some words, and whose programs end in one way; notes what is put to them."""

    def __init__(
        self,
        *breaks_at: str,
        broken: ExecResult = BROKEN,
        program: ExecResult = BY_PROGRAM,
        unknown: Sequence[str] = (),
    ) -> None:
        self.breaks_at = breaks_at
        self.unknown = unknown
        self.greetings: list[str] = []
        self.broken = broken
        self.program = program
        self.sessions: list[str] = []
        self.programs: list[str] = []
        self.pid_file = b""

    def allow(self, seconds: float, what: str) -> Deadline:
        return Deadline(SystemClock(), seconds, what=what)

    def read_environment(self) -> dict[str, str]:
        return {}

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        stdin: Iterable[bytes] = (),
        environment: Mapping[str, str] | None = None,
    ) -> ExecResult:
        if "SELECT" in argv:
            return self.greet((environment or {})["PGOPTIONS"])
        if argv[0] == "cat":
            return ExecResult(0 if self.pid_file else 1, self.pid_file, "")
        self.programs.append(f"{argv[-1]} {b''.join(stdin).decode().strip()}")
        return self.program if argv[0] == "psql" else ExecResult(0, b"", "")

    def greet(self, options: str) -> ExecResult:
        self.greetings.append(options)
        for name in self.unknown:
            if f"-c {name}=" in options:
                return ExecResult(2, b"", f'{ON_SOCKET}unrecognized configuration parameter "{name}"')
        return ExecResult(0, b"", "")

    def converse(self, argv: Sequence[str], environment: Mapping[str, str]) -> Talk:
        return Talk(self, environment["PGOPTIONS"])


class Talk:
    """A session: it is greeted with its first question, which is nobody's but ours."""

    def __init__(self, server: Server, options: str) -> None:
        self.server = server
        self.options = options
        self.greeted = False

    def ask(self, question: bytes, end: bytes, deadline: Deadline) -> ExecResult:
        said = question.decode().rpartition("\nSELECT ")[0]
        if not self.greeted and said == "SELECT;":
            self.greeted = True
            return self.server.greet(self.options)
        self.server.sessions.append(said)
        broken = any(word in said for word in self.server.breaks_at)
        return self.server.broken if broken else ExecResult(0, b"by session\n", "")

    def close(self) -> None: ...


def psql_to(server: Server, live: str = "app") -> Psql:
    return Psql(cast("ContainerExec", server), "owner", live)


def refusing(exit_code: int, errors: str) -> Psql:
    """Of a container in which every `psql` ends in the same way."""
    outcome = ExecResult(exit_code, b"", errors)
    return psql_to(Server("", broken=outcome, program=outcome))


@pytest.mark.parametrize(
    ("exit_code", "errors", "code"),
    [
        (2, ON_SOCKET + "sorry, too many clients already", "database.full"),
        (1, ON_SOCKET.replace("psql", "pg_dump") + "sorry, too many clients already", "database.full"),
        (2, ON_SOCKET + "remaining connection slots are reserved for roles with SUPERUSER", "database.full"),
        (2, ON_SOCKET + 'role "nobody" does not exist', "database.authentication"),
        (2, ON_SOCKET + 'permission denied to set parameter "session_replication_role"', "database.rights"),
        (2, ON_SOCKET + "the database system is in recovery mode", "database.unreachable"),
        (2, "server closed the connection unexpectedly", "database.unreachable"),
        (137, "", "database.unreachable"),
        (1, "", "database.unreachable"),
        (3, "ERROR:  42P01: there is no such table", "database.failed"),
    ],
)
def test_each_way_in_which_a_server_refuses_has_its_own_code(exit_code: int, errors: str, code: str) -> None:
    psql = refusing(exit_code, errors)
    with pytest.raises(DatabaseError) as caught:
        psql.ask("SELECT 1;", "app")
    assert caught.value.code == code


CUT_OFF = """\
pg_dump: error: query failed: server closed the connection unexpectedly
\tThis probably means the server terminated abnormally
\tbefore or while processing the request.
pg_dump: detail: Query was: LOCK TABLE public.held IN ACCESS SHARE MODE
"""
ENDED = "pg_dump: error: query failed: FATAL:  terminating connection due to administrator command\n" + CUT_OFF


def test_a_dump_that_a_crash_cuts_off_tells_of_a_server_that_is_away() -> None:
    psql = refusing(0, "")
    with pytest.raises(DatabaseError) as caught:
        psql.refuse(ExecResult(1, b"", CUT_OFF), "app", "database.dump_failed")
    assert caught.value.code == "database.unreachable"
    assert "query failed: server closed the connection unexpectedly" in caught.value.summary


def test_a_dump_that_somebody_ends_has_failed() -> None:
    psql = refusing(0, "")
    with pytest.raises(DatabaseError) as caught:
        psql.refuse(ExecResult(1, b"", ENDED), "app", "database.dump_failed")
    assert caught.value.code == "database.dump_failed"
    assert "administrator command" in caught.value.summary


@pytest.mark.parametrize("errors", ["", "NOTICE:  nothing to do"])
def test_a_program_that_did_its_work_has_lost_nothing(errors: str) -> None:
    psql = refusing(0, errors)
    assert not psql.has_lost(ExecResult(0, b"", errors))
    assert psql.ask("SELECT 1;", "app") == ""


def test_a_short_question_to_another_database_is_a_visit_of_the_session() -> None:
    server = Server()
    assert psql_to(server).ask("SELECT 1;", "app") == "by session"
    assert server.sessions == ["\\connect app\nSELECT 1;\n\\connect postgres"]
    assert server.programs == []


def test_a_visit_that_fails_is_asked_again_by_a_program_which_says_why() -> None:
    server = Server("connect")
    assert psql_to(server).ask("SELECT 1;", "app") == "by a program"
    assert server.programs == ["dbname='app' SELECT 1;"]


@pytest.mark.parametrize("name", ["my app", "App", "a=b", "postgresql://x", "x;y", "\\q", 'a"b', "app\n", ""])
def test_psql_is_not_given_a_name_that_it_may_take_for_something_else(name: str) -> None:
    server = Server()
    assert psql_to(server).ask("SELECT 1;", name) == "by a program"
    assert server.sessions == []


def test_what_may_take_long_is_not_asked_where_others_would_have_to_wait() -> None:
    server = Server()
    psql = psql_to(server)
    assert psql.ask("SELECT 1;", "app", psql.allow("It")) == "by a program"


def test_no_session_is_kept_to_the_database_of_the_app() -> None:
    server = Server()
    psql = psql_to(server, live="postgres")
    assert {psql.ask("SELECT 1;", name) for name in ("postgres", "template1", "app")} == {"by a program"}
    assert psql.attempt("DROP DATABASE x;", psql.maintenance(), psql.allow("It")).output == b"by a program\n"
    assert server.sessions == []


def test_what_may_not_be_repeated_is_put_once_to_a_session_that_is_alive() -> None:
    server = Server("DROP")
    psql = psql_to(server)
    outcome = psql.attempt("DROP DATABASE x;", psql.maintenance(), psql.allow("It"))
    assert (outcome.exit_code, server.sessions, server.programs) == (3, ["SELECT;", "DROP DATABASE x;"], [])


def test_a_setting_that_the_server_does_not_know_is_left_out_and_the_others_are_kept() -> None:
    server = Server(unknown=("event_triggers", "transaction_timeout"))
    options = psql_to(server).environment()["PGOPTIONS"]
    assert "-c search_path=pg_catalog,pg_temp " in options
    assert "-c role=none " in options
    assert "-c restrict_nonsystem_relation_kind=view,foreign-table" in options
    assert "event_triggers" not in options
    assert "transaction_timeout" not in options.replace("idle_in_transaction_session_timeout", "")
    assert len(server.greetings) == 3


def test_what_a_server_knows_is_found_out_once() -> None:
    server = Server()
    psql = psql_to(server)
    assert psql.environment() == psql.environment(more={})
    assert len(server.greetings) == 1
    assert "event_triggers=off" in server.greetings[0], "a trigger for log-ins is off from the first log-in on"


def test_a_server_that_is_away_is_asked_again_what_it_knows() -> None:
    server = Server(unknown=("event_triggers",))
    psql = psql_to(server)
    server.greet = lambda options: ExecResult(2, b"", ON_SOCKET + "the database system is starting up")  # type: ignore[method-assign]
    assert "event_triggers" in psql.environment()["PGOPTIONS"]
    del server.greet
    assert "event_triggers" not in psql.environment()["PGOPTIONS"]


def test_a_server_on_another_port_is_found_and_asked_there() -> None:
    server = Server()
    server.pid_file = b"1\n/data\n170\n5433\n/var/run/postgresql\n*\n1 2\nready\n"
    environment = psql_to(server).environment()
    assert "PGPORT" not in environment, "where it answers at once nothing is looked for"
    server.greet = lambda options: ExecResult(2, b"", ON_SOCKET)  # type: ignore[method-assign]
    assert psql_to(server).environment()["PGPORT"] == "5433"


@pytest.mark.parametrize(
    ("errors", "found"),
    [
        ('ERROR:  55006: database "ledger" is being accessed by other users\nDETAIL:  There is 1 other session.', True),
        ('ERROR:  42P04: database "copy_55006" already exists', False),
        ("", False),
    ],
)
def test_a_failure_is_known_by_its_sqlstate_and_not_by_a_name_in_its_message(errors: str, found: bool) -> None:
    assert has_state(ExecResult(1, b"", errors), OBJECT_IN_USE) is found
