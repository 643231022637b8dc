"""What an upgrade needs, one look each: `preflight` takes all of them, and `orchestrator doctor` tells of each.

They change nothing. What is not as needed is raised as a `StateError` that says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.contract import StateContext
from orchestrator.errors import StateError
from states.looks import app, database, drift, gate, room
from states.looks.surroundings import Surroundings

Look = Callable[[Surroundings], None]


def find_problems(ctx: StateContext[Any]) -> list[StateError]:
    """All that is not as needed, each once.

    Raises:
        StateError: ``engine.unreachable``: nothing else can be known without it.
    """
    around = Surroundings(ctx)
    problems: dict[str, StateError] = {}
    for look in choose_looks(ctx).values():
        try:
            look(around)
        except StateError as problem:
            if problem.code == "engine.unreachable":
                raise
            problems.setdefault(problem.what, problem)
        ctx.deadline.check()
    return list(problems.values())


def choose_looks(ctx: StateContext[Any]) -> Mapping[str, Look]:
    """Every look that says something for this plan, by what it is at."""
    looks = {
        "image": app.look_at_image,
        "version": app.look_at_version,
        "services": app.look_at_services,
        "drift": drift.look_at_drift,
        "gate": gate.look_at_gate,
        "pin": app.look_at_pin,
        "backup folder": room.look_at_backup_folder,
        "room for backups": room.look_at_room_for_backups,
        "room for images": room.look_at_room_for_images,
        "room for the copy": room.look_at_room_for_copy,
        "database volume": database.look_at_volume,
        "database load": database.look_at_load,
    }
    needs_database = ("room for backups", "room for the copy", "database volume", "database load")
    left_out = needs_database if ctx.world.database is None else ()
    return {name: look for name, look in looks.items() if name not in left_out}
