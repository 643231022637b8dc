"""What is known of a store: one place in which the app keeps data. Sizes are bytes, durations are seconds."""

from typing import Literal

from pydantic import ConfigDict, JsonValue, RootModel

from orchestrator.core.model.base import FrozenModel


class StoreFacts(FrozenModel):
    """The live database and its server. ``free_bytes`` is the room beside its files, None when it cannot be seen.

    ``server_began``: when the server was started, as in a mark.
    """

    name: str
    service: str = ""
    user: str = ""
    owner: str
    server_version: str
    system_identifier: str
    size_bytes: int
    free_bytes: int | None = None
    server_began: str = ""


class Changes(FrozenModel):
    """What is known of writes to a database since a mark; ``untouched`` only where that is proven.

    ``reason`` is a clause that says by what, or why not. ``rows``: row changes since, None where they were not counted.
    ``beyond``: what has changed outside of the database, by name; a way back does not bring it along.
    """

    finding: Literal["untouched", "written", "unproven"]
    reason: str
    restarted: bool = False
    rows: int | None = None
    beyond: tuple[str, ...] = ()

    @property
    def untouched(self) -> bool:
        """Whether it is proven that nothing was written."""
        return self.finding == "untouched"


class Session(FrozenModel):
    """Somebody who is connected to a database of the server. ``address`` is empty for a local socket.

    ``process`` is what kind of process of the server it is where it is no client's; ``age_s`` since when it is
    connected.
    """

    pid: int
    user: str
    application: str
    address: str = ""
    active: bool = False
    database: str = ""
    process: str = ""
    age_s: float = 0.0


class StoreLoad(FrozenModel):
    """What would keep an upgrade from having the database to itself.

    ``prepared``: names of prepared transactions; ``slots``: names of logical replication slots;
    ``subscriptions``: those of logical replication into it;
    ``oldest_s``: age of the oldest open transaction of somebody else, ``oldest`` whose it is; ``sharers``: containers
    of others that may write into its volume; ``anonymous``: that volume, where it has no name that would keep it;
    ``admits_any``: whoever may log in may do so from any network.
    """

    prepared: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    oldest_s: float = 0.0
    oldest: Session | None = None
    sharers: tuple[str, ...] = ()
    anonymous: str = ""
    admits_any: bool = True
    free_connections: int


class ChangeToken(RootModel[dict[str, JsonValue]]):
    """A moment of a store, to be told later what was written since (`DataStore.changes`).

    Opaque: its adapter alone reads it; everybody else keeps it in the journal and hands it back.
    """

    model_config = ConfigDict(frozen=True)


class Fingerprint(FrozenModel):
    """What data are compared by; a part that is None was not looked at.

    ``rows``: number of entries of each collection, by name. ``properties``: what belongs to the data and lies outside
    of them, so that a copy does not carry it. ``inventory``: what else is in them. The last two are opaque to all but
    the adapter.
    """

    rows: dict[str, int] | None = None
    properties: dict[str, JsonValue] | None = None
    inventory: dict[str, JsonValue] | None = None
