"""Parts of the in-memory world: releases, images, containers, jobs, databases."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from orchestrator.adapters.postgres.model import Grant
from orchestrator.core.model.stores import Session

Schema = int | str
Migration = Callable[["FakeDb"], int]


def digest_of(text: str) -> str:
    """A digest that is the same in every test."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@dataclass
class FakeDb:
    """A database. ``torn``: a migration began on it and has not ended; no version can serve on it.

    ``identity`` is what the server knows it by, whatever its name.
    """

    schema: Schema
    tables: dict[str, list[str]]
    owner: str = "app"
    sessions: list[Session] = field(default_factory=list)
    torn: bool = False
    fixed_size_bytes: int | None = None
    fenced: bool = False
    closings: int = 0
    grants: tuple[Grant, ...] | None = None
    identity: str = field(default_factory=lambda: secrets.token_hex(8), compare=False)

    @property
    def size_bytes(self) -> int:
        if self.fixed_size_bytes is not None:
            return self.fixed_size_bytes
        return 8_000_000 + sum(len(row) + 1 for rows in self.tables.values() for row in rows)

    def close(self, *, fenced: bool) -> None:
        """Close or open it; either leaves a new version of its entry."""
        self.fenced = fenced
        self.closings += 1

    def twin(self) -> FakeDb:
        """The same content with nobody connected."""
        tables = {name: list(rows) for name, rows in self.tables.items()}
        return FakeDb(self.schema, tables, self.owner, [], self.torn, self.fixed_size_bytes, grants=self.grants)


def migrate_to(schema: Schema) -> Migration:
    """A migration that works; doing it twice changes nothing."""
    return partial(_set_schema, schema)


@dataclass
class FakeRelease:
    """A version of the app and how it behaves.

    It serves on ``schema`` and on those that it ``also_lives_on``.
    ``healthy_after_s`` None is never; at ``breaks_after_s`` it falls ill again, and it is ill while ``is_ill``.
    """

    version: str
    digest: str
    schema: Schema
    migrate: Migration
    reports: str
    also_lives_on: set[Schema] = field(default_factory=set)
    migrate_s: float = 2.0
    migration_log: str = "migrating\ndone\n"
    migrates_on_start: bool = False
    healthy_after_s: float | None = 1.0
    breaks_after_s: float | None = None
    is_ill: Callable[[], bool] | None = None
    crash_loop: bool = False
    pull_s: float = 3.0
    size_bytes: int = 50_000_000
    platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64")
    notes: str = ""
    prerelease: bool = False
    draft: bool = False
    announced: bool = True

    @property
    def image_id(self) -> str:
        return digest_of(f"config of {self.digest}")


@dataclass
class FakeImage:
    """An image on the host. ``release`` is None for images that are not the app's."""

    image_id: str
    repository: str
    digest: str
    names: set[str] = field(default_factory=set)
    release: FakeRelease | None = None
    size_bytes: int = 50_000_000

    @property
    def digest_reference(self) -> str:
        return f"{self.repository}@{self.digest}"


class Condition(Enum):
    """How a container is at this moment."""

    DOWN = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass
class FakeContainer:
    """The container of a service. ``gated``: no user reaches it; ``apart``: it can be let out as it is. ``dying``: it
    was told to stop and is about to.
    """

    container_id: str
    service: str
    image: FakeImage
    reference: str
    started_at_s: float
    state: str = "running"
    restart_policy: str = "unless-stopped"
    exit_code: int = 0
    gated: bool = False
    apart: bool = False
    dying: bool = False


@dataclass
class FakeJob:
    """A one-off container of a run, somebody else's without one; ``exit_code`` is its verdict once it is over."""

    name: str
    run_id: str
    image: FakeImage
    log: str
    database: FakeDb | None
    began_s: float = 0.0
    exit_code: int | None = None

    @property
    def running(self) -> bool:
        return self.exit_code is None


def _set_schema(schema: Schema, database: FakeDb) -> int:
    database.schema = schema
    return 0
