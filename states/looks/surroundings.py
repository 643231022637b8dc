"""What several looks need to know, asked for once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestrator.contract import StateContext
from orchestrator.model import DatabaseFacts, DatabaseLoad, EngineFacts


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
