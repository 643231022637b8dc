"""One ``psql`` that stays: a question costs a round trip, and not the start of a program in a container."""

import secrets
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence

from orchestrator.adapters.docker.container_exec import ContainerExec, ExecResult, InteractiveExec
from orchestrator.core.deadline import Deadline

_IDLE_S = 20.0  # longer alone, it may have been ended meanwhile


class PsqlSession:
    """Statements to one ``psql`` after another, each used for as long as it answers; begun with the first question."""

    def __init__(self, executor: ContainerExec, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self._executor = executor
        self._argv = tuple(argv)
        self._environment = dict(environment)
        self._conversation: InteractiveExec | None = None
        self._close: Callable[[], object] = bool
        self._used_at = 0.0
        self._lock = threading.Lock()

    def ask(self, statements: str, deadline: Deadline) -> tuple[ExecResult, bool] | None:
        """What came of them, and whether that ``psql`` had answered before; None while somebody else is asking.

        A program that fails is over; then its exit code and its last words are the outcome.
        """
        if not self._lock.acquire(blocking=False):
            return None
        try:
            tried = self._is_fresh()
            conversation = self._conversation or self._begin()
            outcome = self._put(conversation, statements, deadline)
            return outcome, tried
        finally:
            self._lock.release()

    def _is_fresh(self) -> bool:
        if self._conversation is not None and time.monotonic() - self._used_at > _IDLE_S:
            self._end()
        return self._conversation is not None

    def _begin(self) -> InteractiveExec:
        self._conversation = self._executor.converse(self._argv, self._environment)
        self._close = weakref.finalize(self, self._conversation.close)  # also when nobody holds us any more
        return self._conversation

    def _put(self, conversation: InteractiveExec, statements: str, deadline: Deadline) -> ExecResult:
        answered = False
        end = f"end of answer {secrets.token_hex(8)}"
        try:
            outcome = conversation.ask(f"{statements}\nSELECT '{end}';\n".encode(), f"{end}\n".encode(), deadline)
            answered = outcome.exit_code == 0
        finally:
            self._used_at = time.monotonic()
            if not answered:
                self._end()
        return outcome

    def _end(self) -> None:
        self._close()
        self._conversation = None
