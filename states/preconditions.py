"""What an upgrade needs, one look each: `preflight` takes all of them, and `orchestrator doctor` tells of each.

They change nothing. What is not as needed is raised as a `StateError` that says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestrator.contract import StateContext
from orchestrator.errors import RefusedError, StateError
from orchestrator.facts import Current, FrozenProject, Target
from orchestrator.model import DatabaseFacts, DatabaseLoad, EngineFacts

_ANSWER_TIMEOUT_S = 5.0
_RESERVE_BYTES = 256 * 1024**2
_LONG_TRANSACTION_S = 300.0
_CONNECTIONS_NEEDED = 5


@dataclass(frozen=True)
class Surroundings:
    """What several looks need, asked for once. ``ctx`` has a database where `database` or `load` are read."""

    ctx: StateContext[Any]

    @cached_property
    def engine(self) -> EngineFacts:
        """Raises `PlatformError`."""
        return self.ctx.world.platform.inspect_engine()

    @cached_property
    def database(self) -> DatabaseFacts:
        """Raises `DatabaseError`."""
        return self.ctx.database().inspect()

    @cached_property
    def load(self) -> DatabaseLoad:
        """Raises `DatabaseError`."""
        return self.ctx.database().inspect_load(self.database.name)


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
        "image": look_at_image,
        "version": look_at_version,
        "services": look_at_services,
        "gate": look_at_gate,
        "pin": look_at_pin,
        "backup folder": look_at_backup_folder,
        "room for backups": look_at_room_for_backups,
        "room for images": look_at_room_for_images,
        "room for the copy": look_at_room_for_copy,
        "database volume": look_at_volume,
        "database load": look_at_load,
    }
    needs_database = ("room for backups", "room for the copy", "database volume", "database load")
    left_out = needs_database if ctx.world.database is None else ()
    return {name: look for name, look in looks.items() if name not in left_out}


def look_at_image(around: Surroundings) -> None:
    """The release has an image for this machine."""
    target = around.ctx.find(Target)
    wanted = f"linux/{around.engine.architecture}"
    if target is None or not target.platforms:
        return
    if not any(platform.startswith(wanted) for platform in target.platforms):
        raise RefusedError(
            "refused.architecture",
            f"Release {target.release.version} has no image for {wanted}, only for {', '.join(target.platforms)}.",
            hint="Wait for an image for this architecture or ask its author.",
        )


def look_at_version(around: Surroundings) -> None:
    """What runs is what the version variable says."""
    current = around.ctx.find(Current)
    if current is None:
        return
    tag = around.ctx.world.platform.read_pin().partition("@")[0]
    if not any(tag in status.image_reference for status in current.services):
        raise RefusedError(
            "refused.pin_differs",
            f"The version variable says {tag}, but {current.version} runs.",
            hint="Bring both together with `docker compose up -d`, then upgrade.",
        )


# Asked anew: it may have come up since `check` looked, or have gone down.
# What Compose left when it was cut off in a recreation never ran, and is no illness of the app.
def look_at_services(around: Surroundings) -> None:
    """The running version is healthy."""
    ctx = around.ctx
    current = ctx.find(Current)
    if current is None:
        return
    running = [status for status in ctx.world.platform.inspect_services(ctx.target.services) if status.running]
    down = set(ctx.target.services) - {status.service for status in running}
    if down or any(status.health == "unhealthy" for status in running):
        raise RefusedError(
            "refused.unhealthy",
            f"The running version {current.version} is not healthy, so nobody could tell an upgrade that failed.",
            hint="Look at `docker compose logs` and bring the app to health first.",
        )


# Tried on the version that runs: behind the gate a health that cannot be asked would look like an app that is ill.
def look_at_gate(around: Surroundings) -> None:
    """Users can be kept out, and the app can be asked all the same."""
    ctx = around.ctx
    project = ctx.find(FrozenProject)
    if not ctx.gated or project is None:
        return
    ctx.world.platform.check_gate(project, ctx.target.services)
    if ctx.target.health.url is not None:
        _ask_past_gate(ctx, _find_past_gate(ctx, project, ctx.target.health.url))
    if ctx.target.health.version_url is not None:  # not asked: the version that runs may not have it yet
        _find_past_gate(ctx, project, ctx.target.health.version_url)


def _find_past_gate(ctx: StateContext[Any], project: FrozenProject, url: str) -> str:
    found = ctx.world.platform.find_private_url(project, url, ctx.target.services)
    if found is None:
        raise _no_gate(f"none of the services publishes the port of {url} over plain http")
    return found


def _ask_past_gate(ctx: StateContext[Any], url: str) -> None:
    answer = ctx.world.probe.get(url, timeout_s=_ANSWER_TIMEOUT_S)
    if answer.status not in range(200, 300):
        said = answer.error if answer.status is None else f"status {answer.status}"
        raise _no_gate(f"asked at its own address {url}, the version that runs answers with {said}")


def _no_gate(why: str) -> RefusedError:
    return RefusedError(
        "refused.gate",
        f"Nobody could tell behind a closed gate whether the new version is healthy: {why}.",
        hint="Correct the addresses under `target: health:`, or write `gate: open` under `with:` of the start state.",
    )


def look_at_pin(around: Surroundings) -> None:
    """The version variable can be set."""
    around.ctx.world.platform.check_pin_writable()


def look_at_backup_folder(around: Surroundings) -> None:
    """A backup can be written."""
    folder = around.ctx.world.backups.inspect_folder()
    if folder.problem:
        raise RefusedError(
            "refused.backup_folder",
            f"The backup folder {folder.path} cannot be used: {folder.problem}.",
            hint="Make it writable for this user, or name another under `backups: directory:`.",
        )


def look_at_room_for_backups(around: Surroundings) -> None:
    """A dump fits into the backup folder."""
    free_bytes = around.ctx.world.backups.inspect_folder().free_bytes
    _require_room("the backup folder", free_bytes, around.database.size_bytes + _RESERVE_BYTES)


def look_at_room_for_images(around: Surroundings) -> None:
    """A new image fits into the engine's store."""
    _require_room("the engine's image store", around.engine.free_bytes, _RESERVE_BYTES)


# The copy at `stop`, and a restore beside it if that copy could not be used.
def look_at_room_for_copy(around: Surroundings) -> None:
    """A copy of the database and a restore fit beside it."""
    needed_bytes = 2 * around.database.size_bytes + _RESERVE_BYTES
    _require_room("the database server", around.database.free_bytes, needed_bytes)


def look_at_volume(around: Surroundings) -> None:
    """The database's files are its own, and stay."""
    load = around.load
    if load.sharers:
        raise RefusedError(
            "refused.volume_shared",
            f"Others may write into the volume of the database: {', '.join(load.sharers)}.",
            hint="Two servers on one volume destroy it: give each project a volume of its own, or mount it read-only.",
        )
    if load.anonymous:
        raise RefusedError(
            "refused.volume_anonymous",
            f"The database lies in a volume without a name ({load.anonymous[:12]}…), which Compose replaces by an empty"
            " one when its container is made anew.",
            hint="Move it into a named volume: stop the app, copy the data over, and list it under `volumes:`.",
        )


def look_at_load(around: Surroundings) -> None:
    """Nothing keeps an upgrade from having the database to itself."""
    name, load = around.database.name, around.load
    if load.prepared:
        raise RefusedError(
            "refused.prepared",
            f"Prepared transactions wait in {name} for their commit: {', '.join(load.prepared)}.",
            hint="Let whoever prepared them end them: COMMIT PREPARED or ROLLBACK PREPARED.",
        )
    if load.slots:
        raise RefusedError(
            "refused.replication",
            f"Logical replication reads from {name} (slots {', '.join(load.slots)}) and would not follow a way back.",
            hint="Drop the slots for the upgrade and set the replication up anew after it.",
        )
    if load.oldest is not None and load.oldest_s > _LONG_TRANSACTION_S:
        raise RefusedError(
            "refused.long_transaction",
            f"{load.oldest.user} ({load.oldest.application or 'pid'} {load.oldest.pid}) has had a transaction open in"
            f" {name} for {load.oldest_s / 60:.0f} min.",
            hint="Let it end, or end it with pg_terminate_backend, and run the upgrade again.",
        )
    if load.free_connections < _CONNECTIONS_NEEDED:
        raise RefusedError(
            "refused.connections",
            f"The database server has {load.free_connections} connections left; {_CONNECTIONS_NEEDED} are needed.",
            hint="Raise max_connections, or end what holds them.",
        )


def _require_room(place: str, free_bytes: int | None, needed_bytes: int) -> None:
    if free_bytes is not None and free_bytes < needed_bytes:
        raise RefusedError(
            "refused.no_space",
            f"There is not enough room for {place}: {_mib(needed_bytes)} needed, {_mib(free_bytes)} free.",
            hint="Make room; nothing is deleted automatically to make it.",
        )


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:,.0f} MiB"
