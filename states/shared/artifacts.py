"""Rows of the ledger for what a state is about to make, and the names under which it makes it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from orchestrator.core.errors import InvariantError
from orchestrator.core.facts import OtherData
from orchestrator.core.ledger import DATABASE, Artifact, ArtifactKind, NeededUntil
from orchestrator.core.state_kind import StateContext

DATA = (ArtifactKind.SNAPSHOT, ArtifactKind.RESTORED, ArtifactKind.QUARANTINE)

_NAME_AT_MOST = 30
_ROLES = {
    ArtifactKind.SNAPSHOT: "snapshot",
    ArtifactKind.RESTORED: "restore",
    ArtifactKind.QUARANTINE: "failed",
}
_OTHERS_AT_MOST = 10


def intend(
    ctx: StateContext[Any],
    kind: ArtifactKind,
    ref: str,
    *,
    store: str = DATABASE,
    until: NeededUntil = NeededUntil.RETENTION,
) -> Artifact:
    """Build the row to return from ``prepare`` for an artifact that ``perform`` makes."""
    return ctx.ledger.intend(ctx.run_id, kind, ref, store=store, needed_until=until)


def find_intended(ctx: StateContext[Any], kind: ArtifactKind) -> Artifact | None:
    """Return the row that ``prepare`` has written, of this attempt or of an earlier one."""
    return ctx.ledger.find_intended(ctx.run_id, kind)


def require_intended(ctx: StateContext[Any], kind: ArtifactKind) -> Artifact:
    """Return the row that ``prepare`` has written.

    Raises:
        InvariantError: it has written none.
    """
    found = find_intended(ctx, kind)
    if found is None:
        raise InvariantError("internal.not_intended", f"State {ctx.state!r} makes a {kind} that the ledger lacks.")
    return found


def find_other_data(ctx: StateContext[Any]) -> Artifact | None:
    """Return the row of the data that an exchange swaps in; None where the run makes no exchange."""
    chosen = ctx.find(OtherData)
    return ctx.ledger.rows.get(chosen.artifact) if chosen else None


def build_name(live: str, run_id: str, kind: ArtifactKind, *, role: str = "") -> str:
    """Build a name for data beside the live ones; it carries the run, for people. At most 63 bytes."""
    return f"{live[:_NAME_AT_MOST]}__{role or _ROLES[kind]}_{run_id.replace('-', '_')}"


def choose_free(name: str, existing: Collection[str]) -> str:
    """Return this name, or the first free one with a number behind it where others have taken it."""
    others = (f"{name}_{number}" for number in range(2, _OTHERS_AT_MOST))
    return name if name not in existing else next((other for other in others if other not in existing), name)
