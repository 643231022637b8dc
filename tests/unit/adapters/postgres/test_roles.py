"""Roles that cannot be read: what may pass is told from what may not, and nothing that was read is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from orchestrator.adapters.docker.container_exec import ContainerExec, ExecResult
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.adapters.postgres.roles import copy_roles
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DatabaseError

FULL = "pg_dumpall: error: connection to server on socket failed: FATAL:  sorry, too many clients already"
QUOTING = (
    "pg_dumpall: error: query failed: ERROR:  x\npg_dumpall: detail: Query was: SELECT 'SCRAM-SHA-256$4096:c2FsdA=='"
)


class Server:
    """A container in which every program ends in the same way."""

    def __init__(self, outcome: ExecResult) -> None:
        self.outcome = outcome

    def allow(self, seconds: float, what: str) -> Deadline:
        return Deadline(SystemClock(), seconds, what=what)

    def read_environment(self) -> dict[str, str]:
        return {"POSTGRES_USER": "owner"}

    def converse(self, argv: Sequence[str], environment: Mapping[str, str]) -> Server:
        return self

    def ask(self, question: bytes, end: bytes, deadline: Deadline) -> ExecResult:
        return self.outcome

    def close(self) -> None: ...

    def run(self, argv: Sequence[str], **_: object) -> ExecResult:
        return ExecResult(0, b"psql (PostgreSQL) 15.14", "") if "--version" in argv else self.outcome


@pytest.mark.parametrize(("errors", "code"), [(FULL, "database.full"), (QUOTING, "database.roles_failed")])
def test_a_server_that_is_full_for_a_moment_is_told_from_roles_that_cannot_be_read(errors: str, code: str) -> None:
    source = cast("ContainerExec", Server(ExecResult(1, b"", errors)))
    with pytest.raises(DatabaseError) as raised:
        copy_roles(source, "owner", source, deadline=Deadline(SystemClock(), 5))
    assert raised.value.code == code
    assert "SCRAM" not in raised.value.message()
