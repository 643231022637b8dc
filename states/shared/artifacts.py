"""Rows of the ledger for what a state is about to make."""

from typing import Any

from orchestrator.core.errors import InvariantError
from orchestrator.core.ledger import Artifact, ArtifactKind, NeededUntil
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.state_kind import StateContext
from orchestrator.core.store_facts import OtherData

DATA = (ArtifactKind.SNAPSHOT, ArtifactKind.RESTORED, ArtifactKind.QUARANTINE)


def intend(
    ctx: StateContext[Any],
    kind: ArtifactKind,
    ref: str,
    store: DataStore | None,
    *,
    until: NeededUntil = NeededUntil.RETENTION,
) -> Artifact:
    """Build the row to return from ``prepare`` for an artifact that ``perform`` makes; ``store`` is None where it is
    of none.
    """
    return ctx.ledger.intend(ctx.run_id, kind, ref, store=_name(store), needed_until=until)


def find_intended(ctx: StateContext[Any], kind: ArtifactKind, store: DataStore | None) -> Artifact | None:
    """Return the row that ``prepare`` has written, of this attempt or of an earlier one."""
    return ctx.ledger.find_intended(ctx.run_id, kind, _name(store))


def require_intended(ctx: StateContext[Any], kind: ArtifactKind, store: DataStore | None) -> Artifact:
    """Return the row that ``prepare`` has written.

    Raises:
        InvariantError: it has written none.
    """
    found = find_intended(ctx, kind, store)
    if found is None:
        raise InvariantError("internal.not_intended", f"State {ctx.state!r} makes a {kind} that the ledger lacks.")
    return found


def find_other_data(ctx: StateContext[Any], store: DataStore) -> Artifact | None:
    """Return the row of the data that an exchange swaps into a store; None where the run makes no exchange there."""
    chosen = ctx.find(OtherData, store.name)
    return ctx.ledger.rows.get(chosen.artifact) if chosen else None


def _name(store: DataStore | None) -> str:
    return store.name if store else ""
