"""What several looks need to know, asked for once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestrator.core.foresight import Neighbourhood
from orchestrator.core.model.database import DatabaseFacts, DatabaseLoad, Session
from orchestrator.core.model.workloads import EngineInfo
from orchestrator.core.state_kind import StateContext


@dataclass(frozen=True)
class Surroundings:
    """What several looks need, asked for once. ``ctx`` has a database where `database` or `load` are read."""

    ctx: StateContext[Any]

    @cached_property
    def engine(self) -> EngineInfo:
        """Raises `PlatformError`."""
        return self.ctx.ports.workloads.inspect_engine()

    @cached_property
    def database(self) -> DatabaseFacts:
        """Raises `DatabaseError`."""
        return self.ctx.database().inspect()

    @cached_property
    def load(self) -> DatabaseLoad:
        """Raises `DatabaseError`."""
        return self.ctx.database().inspect_load(self.database.name)

    @cached_property
    def neighbourhood(self) -> Neighbourhood:
        """Raises `PlatformError`."""
        return self.ctx.ports.workloads.inspect_neighbourhood(self.database.service)

    @cached_property
    def connections(self) -> tuple[Session, ...]:
        """Raises `DatabaseError`."""
        return self.ctx.database().connections()

    def forget_connections(self) -> None:
        """Let `connections` be asked for anew."""
        self.__dict__.pop("connections", None)
