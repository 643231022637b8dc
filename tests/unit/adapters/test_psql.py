from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import pytest

from orchestrator.adapters.container_exec import ContainerExec, Outcome
from orchestrator.adapters.psql import Psql
from orchestrator.adapters.system_clock import SystemClock
from orchestrator.deadline import Deadline
from orchestrator.errors import DatabaseError

ON_SOCKET = 'psql: error: connection to server on socket "/var/run/.s.PGSQL.5432" failed: FATAL:  '


class Refusing:
    """A container in which every `psql` ends in the same way."""

    def __init__(self, exit_code: int, errors: str) -> None:
        self.outcome = Outcome(exit_code, b"", errors)

    def allow(self, seconds: float, what: str) -> Deadline:
        return Deadline(SystemClock(), seconds, what=what)

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        stdin: Iterable[bytes] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Outcome:
        return self.outcome if argv[0] == "psql" else Outcome(0, b"", "")


@pytest.mark.parametrize(
    ("exit_code", "errors", "code"),
    [
        (2, ON_SOCKET + "sorry, too many clients already", "database.full"),
        (2, ON_SOCKET + "remaining connection slots are reserved for roles with SUPERUSER", "database.full"),
        (2, ON_SOCKET + 'role "nobody" does not exist', "database.authentication"),
        (2, ON_SOCKET + "the database system is in recovery mode", "database.unreachable"),
        (2, "server closed the connection unexpectedly", "database.unreachable"),
        (137, "", "database.unreachable"),
        (1, "", "database.unreachable"),
        (3, "ERROR:  42P01: there is no such table", "database.failed"),
    ],
)
def test_each_way_in_which_a_server_refuses_has_its_own_code(exit_code: int, errors: str, code: str) -> None:
    psql = Psql(cast("ContainerExec", Refusing(exit_code, errors)), "owner", "app")
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
    psql = Psql(cast("ContainerExec", Refusing(0, "")), "owner", "app")
    with pytest.raises(DatabaseError) as caught:
        psql.refuse(Outcome(1, b"", CUT_OFF), "app", "database.dump_failed")
    assert caught.value.code == "database.unreachable"
    assert "query failed: server closed the connection unexpectedly" in caught.value.what


def test_a_dump_that_somebody_ends_has_failed() -> None:
    psql = Psql(cast("ContainerExec", Refusing(0, "")), "owner", "app")
    with pytest.raises(DatabaseError) as caught:
        psql.refuse(Outcome(1, b"", ENDED), "app", "database.dump_failed")
    assert caught.value.code == "database.dump_failed"
    assert "administrator command" in caught.value.what


@pytest.mark.parametrize("errors", ["", "NOTICE:  nothing to do"])
def test_a_program_that_did_its_work_has_lost_nothing(errors: str) -> None:
    psql = Psql(cast("ContainerExec", Refusing(0, errors)), "owner", "app")
    assert not psql.has_lost(Outcome(0, b"", errors))
    assert psql.ask("SELECT 1;", "app") == ""
