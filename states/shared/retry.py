"""An engine, a server or a registry that is away for a moment: what may be repeated is repeated when it is back."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

from orchestrator.core.deadline import Deadline
from orchestrator.core.error_categories import Category
from orchestrator.core.errors import DeadlineExceededError, StateError
from orchestrator.core.state_kind import StateContext

T = TypeVar("T")

#: How long is waited while an operator watches and nothing has been changed.
BRIEF_S = 15.0
#: On the way back the engine is asked again where it could not do something, too: there is no other way to go.
GOING_BACK = frozenset({Category.REFUSED})

_AWAY = frozenset({Category.UNREACHABLE})
_NAMES = {"database": "the database server", "image": "the registry", "pull": "the registry"}
_PATIENCE_S = 120.0
_RETRY_S = 1.0


def is_away(error: StateError) -> bool:
    """Whether it was raised because something did not answer, and not because it refused."""
    return error.category in _AWAY


def retry_while_unreachable(
    ctx: StateContext[Any],
    work: Callable[[], T],
    *,
    at_most_s: float = _PATIENCE_S,
    also: frozenset[Category] = frozenset(),
) -> T:
    """Do ``work``, which may be repeated, until all that it needs was there; from the first failure on, a while.

    ``also`` are more categories of errors after which it is repeated. Raises as `retry_while`.
    """
    return retry_while(ctx, work, lambda error: error.category in _AWAY | also, at_most_s=at_most_s)


def retry_while(
    ctx: StateContext[Any],
    work: Callable[[], T],
    may_pass: Callable[[StateError], bool],
    *,
    at_most_s: float = math.inf,
) -> T:
    """Do ``work`` again for as long as it raises an error that may pass, within the deadline of the state.

    Raises:
        StateError: the error of ``work`` that does not pass; the last one, with the wait, where the time is over.
    """
    patience: Deadline | None = None
    while True:
        try:
            return work()
        except StateError as error:
            if not may_pass(error):
                raise
            patience = patience or ctx.deadline.sooner(at_most_s)
            _wait_after(error, patience)


def _wait_after(failure: StateError, patience: Deadline) -> None:
    try:
        patience.pause(_RETRY_S)
    except DeadlineExceededError as timeout:
        name = _NAMES.get(failure.code.partition(".")[0], "the engine")
        waited = f"Waiting for {name} was not done within {patience.seconds:g} s."
        raise type(failure)(
            failure.code, f"{waited} {failure.summary}", impact=failure.impact, hint=failure.hint
        ) from timeout
