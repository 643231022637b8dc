"""The fence around the database: from `stop` on nobody reaches it but the tool of the state that is at work.

It binds superusers too, but not sessions that are open already: close first, end sessions then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from orchestrator.core.errors import DatabaseError, DeadlineExceededError, StateError
from orchestrator.core.facts import Fence, Serving, Snapshot, Started
from orchestrator.core.model.database import Session
from orchestrator.core.model.workloads import ServiceStatus
from orchestrator.core.ports.database import Database
from orchestrator.core.state_kind import StateContext
from states.shared.change_evidence import find_changes
from states.shared.foreign_sessions import Strangers

GRACE_S = 10.0
_FINISH_S = 5.0
_POLL_S = 0.1


def close_fence(ctx: StateContext[Any], name: str, app: tuple[ServiceStatus, ...]) -> None:
    """Close the database and wait until nobody is connected; ``app`` are its containers as they ran.

    Sessions of the app and of the services that the plan lets us disconnect are ended. Anybody else has a while
    to leave by themselves, for ending them could undo what they were about to save.

    Raises:
        DatabaseError: ``database.in_use`` names who stayed, ``database.prepared`` the transactions that wait.
    """
    database = ctx.database()
    database.fence(name)
    ours = {address for service in app for address in service.addresses} | find_bystanders(ctx)
    _refuse_prepared(database, name)
    grace = ctx.deadline.sooner(GRACE_S, what="Waiting for everybody else to leave the database")
    try:
        grace.poll(lambda: _all_gone(database, name, ours), every_s=_POLL_S)
    except DeadlineExceededError as timeout:
        ctx.deadline.check()
        raise DatabaseError(
            "database.in_use",
            f"With the app stopped, {_name_strangers(ctx, database.sessions(name))} is still connected to {name}.",
            hint="Stop what uses the database beside the app, or list its service under `target: disconnect:`.",
        ) from timeout


@contextmanager
def fence_opened(ctx: StateContext[Any]) -> Iterator[None]:
    """Let the tool of this state in, and close the fence behind it, whatever it ends with.

    Where a version was let in already, it stays open: closed behind a tool it would keep that version out.
    """
    fence = ctx.find(Fence)
    if fence is None or ctx.find(Started) is not None or ctx.find(Serving) is not None:
        yield
        return
    lift_fence(ctx)
    try:
        yield
    finally:
        ctx.database().fence(fence.database)


def require_untouched(ctx: StateContext[Any]) -> None:
    """See that the database is still what the snapshot is of: what was written since would be lost on a way back.

    Raises:
        DatabaseError: ``database.in_use``: it was written to; ``database.restarted``, ``database.unproven``: nobody
            can tell.
    """
    snapshot = ctx.find(Snapshot)
    if snapshot is None:
        return
    changes = find_changes(ctx, snapshot.source, snapshot.mark)
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


def end_leftovers(ctx: StateContext[Any]) -> tuple[Session, ...]:
    """End every session behind a closed fence; those that were still at work after a while to finish."""
    fence = ctx.find(Fence)
    if fence is None:
        return ()
    database = ctx.database()
    grace = ctx.deadline.sooner(_FINISH_S, what="Waiting for sessions to end")
    with suppress(DeadlineExceededError):
        grace.poll(lambda: None if _find_working(database, fence.database) else True, every_s=_POLL_S)
    working = _find_working(database, fence.database)
    database.terminate_sessions(fence.database)
    return working


def lift_fence(ctx: StateContext[Any]) -> None:
    """Let everybody in again: the version that may serve on this data is about to start."""
    fence = ctx.find(Fence)
    if fence is not None:
        ctx.database().unfence(fence.database)


def find_bystanders(ctx: StateContext[Any]) -> set[str]:
    """Addresses of the services whose connections the plan lets us end."""
    services = ctx.ports.workloads.inspect_services(ctx.target.disconnect) if ctx.target.disconnect else ()
    return {address for service in services for address in service.addresses}


def name_sessions(sessions: tuple[Session, ...]) -> str:
    """Who they are, for a sentence."""
    named = [f"{one.user} ({one.application or 'pid'} {one.pid})" for one in sessions]
    return ", ".join(named) or "somebody"


def _name_strangers(ctx: StateContext[Any], sessions: tuple[Session, ...]) -> str:
    try:
        around = ctx.ports.workloads.inspect_neighbourhood(ctx.require(Fence).service)
    except StateError:
        return name_sessions(sessions)
    return ", ".join(Strangers(around, ()).tell(one) for one in sessions) or "somebody"


def _all_gone(database: Database, name: str, ours: set[str]) -> bool | None:
    sessions = database.sessions(name)
    own = [one.pid for one in sessions if one.address in ours]
    if own:
        database.terminate_sessions(name, own)
    return None if sessions else True


def _find_working(database: Database, name: str) -> tuple[Session, ...]:
    return tuple(one for one in database.sessions(name) if one.active)


def _refuse_prepared(database: Database, name: str) -> None:
    prepared = database.inspect_load(name).prepared
    if prepared:
        raise DatabaseError(
            "database.prepared",
            f"Prepared transactions wait in {name} for their commit: {', '.join(prepared)}.",
            hint="End them in the program that prepared them, or by hand: COMMIT PREPARED or ROLLBACK PREPARED.",
        )
