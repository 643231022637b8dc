"""The lock around the data: from `stop` on nobody reaches them but the tool of the state that is at work."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from orchestrator.core.errors import DatabaseError, StateError
from orchestrator.core.facts import Serving, Started
from orchestrator.core.model.stores import Session
from orchestrator.core.model.workloads import ServiceStatus
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.state_kind import StateContext
from orchestrator.core.store_facts import Fence, Snapshot
from states.shared.change_evidence import find_changes
from states.shared.foreign_sessions import Strangers


def lock_stores(ctx: StateContext[Any], app: Sequence[ServiceStatus]) -> None:
    """Lock every store and wait until nobody is connected; ``app`` are the app's containers as they ran.

    Sessions of the app and of the services that the plan lets us disconnect are ended.

    Raises:
        DatabaseError: ``database.in_use`` names who stayed, ``database.prepared`` the transactions that wait.
    """
    ours = {address for service in app for address in service.addresses} | find_bystanders(ctx)
    for store, fence in find_fences(ctx):
        name_strangers = partial(_name_strangers, ctx, fence)
        store.lock(fence.database, guests=ours, name_sessions=name_strangers, deadline=ctx.deadline)


@contextmanager
def locks_opened(ctx: StateContext[Any]) -> Iterator[None]:
    """Let the tool of this state in, and lock the stores behind it, whatever it ends with.

    Where a version was let in already, they stay open: locked behind a tool they would keep that version out.
    """
    if not find_fences(ctx) or ctx.find(Started) is not None or ctx.find(Serving) is not None:
        yield
        return
    try:
        unlock_stores(ctx)
        yield
    finally:
        for store, fence in find_fences(ctx):
            store.close(fence.database)


def require_untouched(ctx: StateContext[Any]) -> None:
    """See that the data are still what the snapshots are of: what was written since would be lost on a way back.

    Raises:
        DatabaseError: ``database.in_use``: they were written to; ``database.restarted``, ``database.unproven``: nobody
            can tell.
    """
    for store in ctx.stores:
        snapshot = ctx.find(Snapshot, store.name)
        if snapshot is not None:
            _require_untouched(ctx, store, snapshot)


def end_leftovers(ctx: StateContext[Any]) -> tuple[Session, ...]:
    """End every session behind a lock; those that were still at work after a while to finish."""
    ended = (store.finish_work(fence.database, deadline=ctx.deadline) for store, fence in find_fences(ctx))
    return tuple(session for sessions in ended for session in sessions)


def unlock_stores(ctx: StateContext[Any]) -> None:
    """Let everybody in again: the version that may serve on these data is about to start."""
    for store, fence in find_fences(ctx):
        store.unlock(fence.database)


def find_fences(ctx: StateContext[Any]) -> tuple[tuple[DataStore, Fence], ...]:
    """Return the stores that this run locks, each with what is locked."""
    fences = ((store, ctx.find(Fence, store.name)) for store in ctx.stores)
    return tuple((store, fence) for store, fence in fences if fence is not None)


def find_bystanders(ctx: StateContext[Any]) -> set[str]:
    """Addresses of the services whose connections the plan lets us end."""
    services = ctx.ports.workloads.inspect_services(ctx.target.disconnect) if ctx.target.disconnect else ()
    return {address for service in services for address in service.addresses}


def name_sessions(sessions: Sequence[Session]) -> str:
    """Who they are, for a sentence."""
    named = [f"{one.user} ({one.application or 'pid'} {one.pid})" for one in sessions]
    return ", ".join(named) or "somebody"


def _name_strangers(ctx: StateContext[Any], fence: Fence, sessions: Sequence[Session]) -> str:
    try:
        around = ctx.ports.workloads.inspect_neighbourhood(fence.service)
    except StateError:
        return name_sessions(sessions)
    return ", ".join(Strangers(around, ()).tell(one) for one in sessions) or "somebody"


def _require_untouched(ctx: StateContext[Any], store: DataStore, snapshot: Snapshot) -> None:
    changes = find_changes(ctx, store, snapshot.source, snapshot.mark)
    if changes.restarted:
        raise DatabaseError(
            "database.restarted",
            f"The database server was restarted after {snapshot.source} was copied: that nobody has written to it"
            " since can no longer be proven.",
            impact="The new version has not touched it yet.",
            hint="Find out in the server's log why, and run the upgrade again.",
        )
    if changes.finding == "unproven":
        raise DatabaseError(
            "database.unproven",
            f"That nobody has written to {snapshot.source} since it was copied cannot be proven: {changes.reason}.",
            impact="The new version has not touched it yet.",
            hint="Run the upgrade again; `orchestrator show` has what was found.",
        )
    if changes.finding == "written":
        raise DatabaseError(
            "database.in_use",
            f"Somebody wrote to {snapshot.source} after the app was stopped and its database was copied.",
            impact="The new version has not touched it yet.",
            hint="Find out what uses the database beside the app, and stop it.",
        )
