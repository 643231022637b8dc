"""A database server that is away for a moment: what may be repeated is repeated when it is back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from orchestrator.contract import StateContext
from orchestrator.deadline import Deadline
from orchestrator.errors import DatabaseError, DeadlineExceededError

T = TypeVar("T")

_AWAY = frozenset({"database.unreachable", "database.full"})
_PATIENCE_S = 120.0
_RETRY_S = 1.0


def repeat_while_away(ctx: StateContext[Any], work: Callable[[], T]) -> T:
    """Do ``work``, which may be repeated, again until the server was there for all of it.

    Raises:
        DatabaseError: what ``work`` raised; where the server was away, when it has not come back for a while.
    """
    patience = ctx.deadline.sooner(_PATIENCE_S, what="Waiting for the database server")
    while True:
        try:
            return work()
        except DatabaseError as error:
            if error.code not in _AWAY:
                raise
            _wait_after(error, patience)


def _wait_after(failure: DatabaseError, patience: Deadline) -> None:
    try:
        patience.pause(_RETRY_S)
    except DeadlineExceededError as timeout:
        raise DatabaseError(
            failure.code, f"{timeout.what} {failure.what}", meaning=failure.meaning, hint=failure.hint
        ) from failure
