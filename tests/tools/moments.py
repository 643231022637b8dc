"""Snapshots of a fake world at moments of a run, and the trace that they make."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from tests.faults.failpoints.points import Point
from tests.tools.things import Condition, FakeContainer, Schema
from tests.tools.world import FakeWorld


@dataclass(frozen=True, slots=True)
class AppContainer:
    """A container of the app, in whichever service. ``lives_on``: the schemas that its version declares."""

    service: str
    container_id: str
    version: str
    image_id: str
    running: bool
    gated: bool
    listens: bool
    healthy: bool
    restart_policy: str
    lives_on: frozenset[Schema]

    @property
    def reached(self) -> bool:
        """Whether users get an answer from it."""
        return self.running and self.listens and not self.gated


@dataclass(frozen=True, slots=True)
class Held:
    """What is in a database. ``missing``: numbers of the acknowledged entries that it has not."""

    identity: str
    schema: Schema
    torn: bool
    fenced: bool
    missing: frozenset[int]


@dataclass(frozen=True, slots=True)
class Moment:
    """``sessions`` are connected to the live database, ``jobs`` are those of them that are one-off containers."""

    app: tuple[AppContainer, ...]
    databases: Mapping[str, Held]
    live: str
    sessions: tuple[str, ...]
    jobs: tuple[str, ...]
    images: frozenset[str]
    image_names: frozenset[str]
    backups: frozenset[str]
    pin: str
    acknowledged: int

    def held_live(self) -> Held | None:
        """What the live database holds; None where none has its name."""
        return self.databases.get(self.live)


@dataclass(frozen=True, slots=True)
class Step:
    """A point that a process has reached. ``records``: how many the journal had; looks have no ``moment``."""

    process: int
    point: Point
    records: int
    moment: Moment | None


def observe(world: FakeWorld) -> Moment:
    """Look at everything, disturbing nothing."""
    live = world.databases.get(world.live)
    jobs = {job.name for job in world.jobs.values() if job.running and live is not None and job.database is live}
    connected = world.connected(world.live) if live is not None else []
    return Moment(
        app=tuple(_look_at(world, one) for one in world.containers.values() if one.image.release is not None),
        databases={
            name: Held(one.identity, one.schema, one.torn, one.fenced, _missing(world, name))
            for name, one in world.databases.items()
        },
        live=world.live,
        sessions=tuple(one.application for one in connected),
        jobs=tuple(sorted(jobs)),
        images=frozenset(image.image_id for image in world.images),
        image_names=frozenset(name for image in world.images for name in image.names),
        backups=frozenset(hashlib.sha256(content).hexdigest() for content in world.files.values()),
        pin=world.pin,
        acknowledged=len(world.acknowledged),
    )


def _look_at(world: FakeWorld, container: FakeContainer) -> AppContainer:
    release = container.image.release
    assert release is not None
    return AppContainer(
        service=container.service,
        container_id=container.container_id,
        version=release.version,
        image_id=container.image.image_id,
        running=container.state == "running",
        gated=container.gated,
        listens=container.state == "running" and world.listens(container),
        healthy=world.condition(container) is Condition.HEALTHY,
        restart_policy=container.restart_policy,
        lives_on=frozenset((release.schema, *release.also_lives_on)),
    )


def _missing(world: FakeWorld, name: str) -> frozenset[int]:
    there = set(world.databases[name].tables.get(world.user_table, ()))
    return frozenset(number for number, entry in enumerate(world.acknowledged) if entry not in there)
