"""What an upgrade needs, one look each: `preflight` takes all of them, and `orchestrator doctor` tells of each.

They change nothing. What is not as needed is raised as a `StateError` that says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.core.errors import RefusedError, StateError
from orchestrator.core.foresight import Obstacle
from orchestrator.core.state_kind import StateContext
from states.shared.checks import app, database, drift, gate, naming, room, sessions
from states.shared.checks.surroundings import Surroundings

#: Raises the first thing that is not as needed, or returns all of them.
Look = Callable[[Surroundings], Sequence[Obstacle] | None]


#: What is looked at in every plan, and in one with a database; docs/foreseen.md says what each foresees.
LOOKS: Mapping[str, Look] = {
    "image": app.look_at_image,
    "version": app.look_at_version,
    "services": app.look_at_services,
    "drift": drift.look_at_drift,
    "names": naming.look_at_names,
    "gate": gate.look_at_gate,
    "pin": app.look_at_pin,
    "backup folder": room.look_at_backup_folder,
    "room for images": room.look_at_room_for_images,
}
LOOKS_AT_DATABASE: Mapping[str, Look] = {
    "room for backups": room.look_at_room_for_backups,
    "room for the copy": room.look_at_room_for_copy,
    "database volume": database.look_at_volume,
    "database state": database.look_at_state,
    "database load": database.look_at_load,
    "sessions": sessions.look_at_sessions,
    "other databases": sessions.look_at_other_databases,
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
    around = Surroundings(ctx)
    problems: dict[str, StateError] = {}
    doubts: dict[str, None] = {}
    for look in choose_looks(ctx).values():
        try:
            found = look(around) or ()
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


def choose_looks(ctx: StateContext[Any]) -> Mapping[str, Look]:
    """Every look that says something for this plan, by what it is at."""
    return LOOKS if ctx.ports.database is None else {**LOOKS, **LOOKS_AT_DATABASE}
