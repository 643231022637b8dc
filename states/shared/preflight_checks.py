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
PreflightCheck = Callable[[Surroundings], Sequence[Obstacle] | None]


#: What is looked at in every plan, and in one with a database; docs/foreseen.md says what each foresees.
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
DATABASE_CHECKS: Mapping[str, PreflightCheck] = {
    "room for backups": room.check_room_for_backups,
    "room for the copy": room.check_room_for_copy,
    "database volume": database.check_volume,
    "database state": database.check_state,
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
    around = Surroundings(ctx)
    problems: dict[str, StateError] = {}
    doubts: dict[str, None] = {}
    for check in choose_checks(ctx).values():
        try:
            found = check(around) or ()
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


def choose_checks(ctx: StateContext[Any]) -> Mapping[str, PreflightCheck]:
    """Every look that says something for this plan, by what it is at."""
    return CHECKS if ctx.ports.database is None else {**CHECKS, **DATABASE_CHECKS}
