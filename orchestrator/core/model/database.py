"""A database and its server. Sizes are bytes, durations are seconds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from orchestrator.core.model.base import FrozenModel


class DatabaseFacts(FrozenModel):
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


class Grant(FrozenModel):
    """One privilege on a database; ``role`` is None for everybody."""

    role: str | None
    privilege: str
    grantable: bool


class PgSetting(FrozenModel):
    """One ``name=value`` that holds in a database, for one role or (None) for all."""

    role: str | None
    text: str


class DatabaseProperties(FrozenModel):
    """What a database has besides its contents, and which a dump or a copy of it does not carry.

    ``version`` is PostgreSQL's ``server_version_num``.
    """

    version: int
    owner: str
    encoding: str
    collate: str
    ctype: str
    provider: str = "c"
    locale: str | None = None
    icu_rules: str | None = None
    tablespace: str
    connection_limit: int
    grants: tuple[Grant, ...] | None
    settings: tuple[PgSetting, ...]
    comment: str | None = None


class PgSequence(FrozenModel):
    """A sequence; ``last_value`` is None before its first use."""

    owner: str
    last_value: int | None
    increment: int
    cycles: bool


class Inventory(FrozenModel):
    """What is in a database, its rows left out: relation → kind and owner, sequences, extension → version.

    Names are ``schema.name``; what belongs to an extension is left out.
    """

    relations: dict[str, str]
    sequences: dict[str, PgSequence]
    extensions: dict[str, str]
    large_objects: int


class ChangeToken(FrozenModel):
    """A moment of a database, to be told later what was written since (`Database.changes`).

    Evidence, which no setting can switch off: ``position`` in the server's log, empty where somebody else could write
    just then; ``closed``: the version of the entry that keeps everybody out, empty where it does not; ``catalog``: a
    hash of the versions of its entries and of where its sequences stand; ``unlogged``: a hash of what the log leaves
    out; ``server_began`` tells a restart, ``database`` another database under the same name. ``server`` and
    ``databases`` are versions of what lies outside of the database, by name.

    ``written`` counts row changes and ``transactions`` commits, those that only read too; they say how much went on,
    prove nothing, and are comparable where ``counted_since`` is the same and not empty, as where counting is off.
    """

    database: str
    server_began: str
    catalog: str
    written: int
    transactions: int
    position: str = ""
    closed: str = ""
    unlogged: str = ""
    counted_since: str = ""
    server: dict[str, str] = Field(default_factory=dict)
    databases: dict[str, str] = Field(default_factory=dict)


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


class DatabaseLoad(FrozenModel):
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
