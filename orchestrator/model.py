"""The words that everything else is written in: frozen values that survive a round trip through the journal.

Times are aware and in UTC, sizes are bytes, durations are seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]

_PIN = re.compile(r"^(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})(?:@(?P<digest>sha256:[0-9a-f]{64}))?$")


class Word(BaseModel):
    """A frozen value; unknown fields are errors, so that a misspelt one cannot vanish."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Verdict(StrEnum):
    """How a run ended."""

    COMMITTED = "committed"
    UP_TO_DATE = "up_to_date"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"
    NEEDS_OPERATOR = "needs_operator"
    INTERNAL_ERROR = "internal_error"


EXIT_CODES: Mapping[Verdict, int] = {
    Verdict.COMMITTED: 0,
    Verdict.UP_TO_DATE: 0,
    Verdict.REFUSED: 10,
    Verdict.ROLLED_BACK: 20,
    Verdict.NEEDS_OPERATOR: 30,
    Verdict.INTERNAL_ERROR: 70,
}


class Pin(Word):
    """Which image the project is set to: the text of the version variable, ``v1.1.0@sha256:…`` or ``v1.0.0``."""

    tag: str
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a pin.

        Raises:
            ValueError: it is no image tag, with or without a digest.
        """
        match = _PIN.match(text)
        if match is None:
            raise ValueError(f"{text!r} is no image tag")
        return cls(tag=match["tag"], digest=match["digest"])

    def __str__(self) -> str:
        return f"{self.tag}@{self.digest}" if self.digest else self.tag


class Release(Word):
    """A published version of the app. ``version`` is the tag as published, with its ``v`` where it has one."""

    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$")]
    notes: str = ""
    url: str = ""
    published_at: datetime | None = None
    prerelease: bool = False
    draft: bool = False


class NoticeLevel(StrEnum):
    """How urgent a notification is."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


class Notice(Word):
    """A message to somebody who is not at the terminal."""

    title: str
    body: str
    level: NoticeLevel


class ServiceStatus(Word):
    """One container of a service as the platform reports it at this moment."""

    service: str
    container_id: str
    image_id: str
    image_reference: str
    digests: tuple[str, ...] = ()
    version_label: str | None = None
    state: str
    health: str = "none"
    restart_count: int = 0
    exit_code: int = 0
    restart_policy: str = "no"
    addresses: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """Whether its main process is up."""
        return self.state == "running"


class EngineFacts(Word):
    """Who does the work. ``free_bytes`` is the room where the engine keeps images, None when it cannot be seen."""

    engine_id: str
    server_version: str
    compose_version: str
    architecture: str
    free_bytes: int | None = None


class Difference(Word):
    """One setting of a service that runs otherwise than it would be started; empty where it has none there.

    Values of environment variables are never said.
    """

    service: str
    item: str
    running: str
    rendered: str

    def __str__(self) -> str:
        return f"{self.service}: {self.item}: {self.running or 'none'} now, {self.rendered or 'none'} after a start"


class Drift(Word):
    """How what runs differs from what would be started, and the platform's own words on how to make them agree."""

    differences: tuple[Difference, ...] = ()
    hint: str = ""

    def __bool__(self) -> bool:
        return bool(self.differences)

    def __str__(self) -> str:
        return "; ".join(map(str, self.differences))


class RemoteImage(Word):
    """What the registry says of a tag: its digest and the platforms (``linux/amd64``) it is built for."""

    digest: Digest
    platforms: tuple[str, ...] = ()


class LocalImage(Word):
    """An image that the engine has."""

    image_id: str
    digests: tuple[str, ...] = ()
    size_bytes: int = 0


class DatabaseFacts(Word):
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


class Grant(Word):
    """One privilege on a database; ``role`` is None for everybody."""

    role: str | None
    privilege: str
    grantable: bool


class Setting(Word):
    """One ``name=value`` that holds in a database, for one role or (None) for all."""

    role: str | None
    text: str


class DatabaseProperties(Word):
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
    settings: tuple[Setting, ...]
    comment: str | None = None


class Sequence(Word):
    """A sequence; ``last_value`` is None before its first use."""

    owner: str
    last_value: int | None
    increment: int
    cycles: bool


class Inventory(Word):
    """What is in a database, its rows left out: relation → kind and owner, sequences, extension → version.

    Names are ``schema.name``; what belongs to an extension is left out.
    """

    relations: dict[str, str]
    sequences: dict[str, Sequence]
    extensions: dict[str, str]
    large_objects: int


class WriteMark(Word):
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


class Changes(Word):
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


class Session(Word):
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


class DatabaseLoad(Word):
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


class ProbeAnswer(Word):
    """What an HTTP request was answered with; ``status`` is None where there was no answer, ``error`` says why."""

    status: int | None
    body: str = ""
    error: str = ""


class JobStatus(Word):
    """A one-off container: still at work, or over with the exit code that the engine reports.

    ``said`` is the newest line of one that is at work; empty where it said nothing or could not be heard.
    """

    name: str
    running: bool
    exit_code: int | None = None
    said: str = ""


class FolderFacts(Word):
    """A folder for backups: how much room it has, and in ``problem`` why it cannot be used, if so."""

    path: Path
    free_bytes: int
    problem: str = ""


class EffectScope(StrEnum):
    """What a state may change."""

    NOTHING = "nothing"
    FILES = "files"
    IMAGES = "images"
    APP = "app"
    DATABASE = "database"


class Gate(StrEnum):
    """Whether users can reach the app."""

    OPEN = "open"
    CLOSED = "closed"


class Question(Word):
    """What the operator is asked before anything is changed."""

    title: str
    lines: tuple[str, ...]
    notes: str = ""
    prompt: str = "Upgrade now?"


class Progress(Word):
    """How far a state is. ``total`` is None while it is unknown; ``unit`` is ``bytes`` or a plural noun.

    ``estimated``: the total is a guess. ``expected_s``: how long all of it takes, where a rehearsal has measured it.
    """

    label: str
    done: int = 0
    total: int | None = None
    unit: str = Field(default="bytes")
    estimated: bool = False
    expected_s: float | None = None
