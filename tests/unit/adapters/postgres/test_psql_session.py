"""Questions that share one `psql`, and what becomes of them when it is over."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import pytest

from orchestrator.adapters.docker.container_exec import ContainerExec, ExecResult
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.adapters.postgres import psql_session
from orchestrator.adapters.postgres.psql_session import PsqlSession
from orchestrator.core.deadline import Deadline

GONE = ExecResult(2, b"", "server closed the connection unexpectedly")
WRONG = ExecResult(3, b"", "ERROR:  42P01: there is no such table")


def well(text: bytes) -> ExecResult:
    return ExecResult(0, text, "")


class Answering:
    """A container whose programs answer with ``outcomes``, one after another, however many programs that takes."""

    def __init__(self, *outcomes: ExecResult) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[str] = []
        self.begun = 0
        self.closed = 0
        self.meanwhile: Callable[[], object] = bool

    def converse(self, argv: Sequence[str], environment: Mapping[str, str]) -> "Answering":
        self.begun += 1
        return self

    def ask(self, question: bytes, end: bytes, deadline: Deadline) -> ExecResult:
        statement, last = question.decode().splitlines()
        assert last == f"SELECT '{end.decode().strip()}';"
        self.asked.append(statement)
        self.meanwhile()
        return self.outcomes.pop(0)

    def close(self) -> None:
        self.closed += 1


def session_of(container: Answering) -> PsqlSession:
    return PsqlSession(cast("ContainerExec", container), ["psql"], {})


def soon() -> Deadline:
    return Deadline(SystemClock(), 5)


def test_questions_share_a_program_until_one_fails() -> None:
    container = Answering(well(b"1\n"), well(b"2\n"), WRONG, well(b"3\n"))
    session = session_of(container)
    found = [session.ask(f"SELECT {number};", soon()) for number in range(4)]
    assert found == [(well(b"1\n"), False), (well(b"2\n"), True), (WRONG, True), (well(b"3\n"), False)]
    assert container.asked == [f"SELECT {number};" for number in range(4)]
    assert (container.begun, container.closed) == (2, 1)


def test_a_program_that_was_long_alone_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    container = Answering(well(b"1\n"), well(b"2\n"))
    session = session_of(container)
    session.ask("SELECT 1;", soon())
    monkeypatch.setattr(psql_session, "_IDLE_S", -1.0)
    assert session.ask("SELECT 1;", soon()) == (well(b"2\n"), False)
    assert (container.begun, container.closed) == (2, 1)


def test_who_asks_while_another_is_asking_gets_no_answer_here() -> None:
    container = Answering(well(b"1\n"))
    session = session_of(container)
    heard: list[object] = []
    container.meanwhile = lambda: heard.append(session.ask("SELECT 2;", soon()))
    assert session.ask("SELECT 1;", soon()) == (well(b"1\n"), False)
    assert heard == [None]


def test_a_program_goes_with_whoever_asked_it() -> None:
    container = Answering(well(b"1\n"))
    session = session_of(container)
    session.ask("SELECT 1;", soon())
    del session
    assert container.closed == 1
