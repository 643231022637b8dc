"""What was written since the database was closed, as far as it is proven."""

from __future__ import annotations

from typing import Any

from orchestrator.core.model.database import Changes, ChangeToken
from orchestrator.core.state_kind import StateContext
from states.shared.artifacts import DATA, find_other_data


def find_changes(ctx: StateContext[Any], name: str, since: ChangeToken) -> Changes:
    """What was written to a database since a mark of it, and outside of it by others than this run."""
    return ctx.database().changes(name, since, ours=_find_own(ctx))


def tell_beyond(changes: Changes, name: str) -> str:
    """A sentence that begins with a blank about what a way back leaves as it is; empty where there is nothing."""
    if not changes.beyond:
        return ""
    return f" Changed outside of {name} since then, and not brought back: {', '.join(changes.beyond)}."


def _find_own(ctx: StateContext[Any]) -> tuple[str, ...]:
    other = find_other_data(ctx)
    return tuple(row.ref for row in (*ctx.ledger.find(*DATA, run=ctx.run_id), *((other,) if other else ())))
