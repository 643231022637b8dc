"""What a PostgreSQL database is besides its rows, and a moment of it. Sizes are bytes, durations are seconds."""

from pydantic import Field

from orchestrator.core.model.base import FrozenModel


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


class PgChangeToken(FrozenModel):
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
