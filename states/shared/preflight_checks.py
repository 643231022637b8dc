"""What an upgrade needs, one look each: `preflight` takes all of them, and `orchestrator doctor` tells of each.

They change nothing. What is not as needed is raised as a `StateError` that says what to do.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from orchestrator.core.errors import RefusedError, StateError
from orchestrator.core.foresight import Obstacle
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.state_kind import StateContext
from states.shared.checks import app, database, drift, gate, naming, room, sessions
from states.shared.checks.surroundings import StoreSurroundings, Surroundings

#: Raises the first thing that is not as needed, or returns all of them.
PreflightCheck = Callable[[Surroundings], Sequence[Obstacle] | None]
StoreCheck = Callable[[StoreSurroundings], Sequence[Obstacle] | None]


#: What is looked at in every plan; docs/foreseen.md says what each foresees.
CHECKS: Mapping[str, PreflightCheck] = {
    "image": app.check_image,
    "version": app.check_version,
    "services": app.check_services,
    "drift": drift.check_drift,
    "names": naming.check_names,
    "gate": gate.check_gate,
    "pin": app.check_pin,
    "backup folder": room.check_backup_folder,
    "room for images": room.check_room_for_images,
}
#: What is looked at in each store; the last ones where it is a server that others connect to.
STORE_CHECKS: Mapping[str, StoreCheck] = {
    "room for backups": room.check_room_for_backups,
    "room for the copy": room.check_room_for_copy,
    "database state": database.check_state,
}
CLIENT_CHECKS: Mapping[str, StoreCheck] = {
    "database volume": database.check_volume,
    "database load": database.check_load,
    "sessions": sessions.check_sessions,
    "other databases": sessions.check_other_databases,
}


@dataclass(frozen=True)
class Findings:
    """``problems`` keep an upgrade from beginning; ``doubts`` are sentences for its operator."""

    problems: tuple[StateError, ...]
    doubts: tuple[str, ...]


def find_problems(ctx: StateContext[Any]) -> Findings:
    """All that is not as needed, each once.

    Raises:
        StateError: ``engine.unreachable``: nothing else can be known without it.
    """
    problems: dict[str, StateError] = {}
    doubts: dict[str, None] = {}
    for check in _choose_checks(ctx):
        try:
            found = check() or ()
        except StateError as problem:
            if problem.code == "engine.unreachable":
                raise
            problems.setdefault(problem.summary, problem)
            found = ()
        for obstacle in found:
            if obstacle.blocks:
                problems.setdefault(obstacle.what, to_error(obstacle))
            else:
                doubts[tell(obstacle)] = None
        ctx.deadline.check()
    return Findings(tuple(problems.values()), tuple(doubts))


def to_error(obstacle: Obstacle) -> RefusedError:
    """What is in the way, as the error that refuses an upgrade for it."""
    return RefusedError(obstacle.code, obstacle.what, hint=obstacle.hint)


def tell(obstacle: Obstacle) -> str:
    """What is in the way and what to do, for a person."""
    return f"{obstacle.what} {obstacle.hint}".rstrip()


def choose_store_checks(store: DataStore) -> Mapping[str, StoreCheck]:
    """Every look that says something for a store, by what it is at."""
    return STORE_CHECKS if store.clients is None else {**STORE_CHECKS, **CLIENT_CHECKS}


def _choose_checks(ctx: StateContext[Any]) -> Iterator[Callable[[], Sequence[Obstacle] | None]]:
    around = Surroundings(ctx)
    yield from (partial(check, around) for check in CHECKS.values())
    for store in ctx.stores:
        of_store = StoreSurroundings(ctx, store)
        yield from (partial(check, of_store) for check in choose_store_checks(store).values())
