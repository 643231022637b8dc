"""What several looks need to know, asked for once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestrator.core.errors import InvariantError
from orchestrator.core.foresight import Neighbourhood
from orchestrator.core.model.stores import Session, StoreFacts, StoreLoad
from orchestrator.core.model.workloads import EngineInfo
from orchestrator.core.ports.data_store import Clients, DataStore
from orchestrator.core.state_kind import StateContext


@dataclass(frozen=True)
class Surroundings:
    """What several looks at the app and its engine need, asked for once."""

    ctx: StateContext[Any]

    @cached_property
    def engine(self) -> EngineInfo:
        """Raises `PlatformError`."""
        return self.ctx.ports.workloads.inspect_engine()


@dataclass(frozen=True)
class StoreSurroundings:
    """What several looks at a store need, asked for once; all but `facts` are of a store with clients."""

    ctx: StateContext[Any]
    store: DataStore

    @cached_property
    def facts(self) -> StoreFacts:
        """Raises `DatabaseError`."""
        return self.store.inspect()

    @property
    def clients(self) -> Clients:
        """Raises `InvariantError` where nobody connects to the store: only stores with clients are asked."""
        found = self.store.clients
        if found is None:
            raise InvariantError("internal.no_clients", f"Nobody connects to the store {self.store.name!r}.")
        return found

    @cached_property
    def load(self) -> StoreLoad:
        """Raises `DatabaseError`."""
        return self.clients.inspect_load(self.facts.name)

    @cached_property
    def neighbourhood(self) -> Neighbourhood:
        """Raises `PlatformError`."""
        return self.ctx.ports.workloads.inspect_neighbourhood(self.facts.service)

    @cached_property
    def connections(self) -> tuple[Session, ...]:
        """Raises `DatabaseError`."""
        return self.clients.connections()

    def forget_connections(self) -> None:
        """Let `connections` be asked for anew."""
        self.__dict__.pop("connections", None)
