"""What was written since a store was locked, as far as it is proven."""

from typing import Any

from orchestrator.core.model.stores import Changes, ChangeToken
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.state_kind import StateContext
from states.shared.artifacts import DATA, find_other_data


def find_changes(ctx: StateContext[Any], store: DataStore, ref: str, since: ChangeToken) -> Changes:
    """Find what was written to data since a token of them, and outside of them by others than this run."""
    return store.changes(ref, since, ours=_find_own(ctx, store))


def tell_beyond(changes: Changes, ref: str) -> str:
    """A sentence that begins with a blank about what a way back leaves as it is; empty where there is nothing."""
    if not changes.beyond:
        return ""
    return f" Changed outside of {ref} since then, and not brought back: {', '.join(changes.beyond)}."


def _find_own(ctx: StateContext[Any], store: DataStore) -> tuple[str, ...]:
    other = find_other_data(ctx, store)
    rows = ctx.ledger.find(*DATA, run=ctx.run_id, store=store.name)
    return tuple(row.ref for row in (*rows, *((other,) if other else ())))
