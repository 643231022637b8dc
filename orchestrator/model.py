"""The words that everything else is written in: frozen values that survive a round trip through the journal.

A *Fact* is a word that a state has proven and that later states read by its name.
Times are aware and in UTC, sizes are bytes, durations are seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar

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
    """The live database and its server. ``free_bytes`` is the room beside its files, None when it cannot be seen."""

    name: str
    owner: str
    server_version: str
    system_identifier: str
    size_bytes: int
    free_bytes: int | None = None


class Session(Word):
    """Somebody who is connected to the database."""

    pid: int
    user: str
    application: str
    address: str = ""


class ProbeAnswer(Word):
    """What an HTTP request was answered with; ``status`` is None where there was no answer, ``error`` says why."""

    status: int | None
    body: str = ""
    error: str = ""


class JobStatus(Word):
    """A one-off container: still at work, or over with the exit code that the engine reports."""

    name: str
    running: bool
    exit_code: int | None = None


class FolderFacts(Word):
    """A folder for backups: how much room it has, and in ``problem`` why it cannot be used, if so."""

    path: Path
    free_bytes: int
    problem: str = ""


# --- facts --------------------------------------------------------------------------------------------------


class Fact(Word):
    """A word with a name of its own under which it is journaled and found again."""

    fact: ClassVar[str]


class FrozenProject(Fact):
    """The project as it was when the run began; going back uses this, not what somebody edited meanwhile."""

    fact: ClassVar[str] = "project"

    name: str
    directory: Path
    template: Path
    template_sha256: str
    pin_text: str
    services: tuple[str, ...]


class Current(Fact):
    """The version that runs when the run begins. ``image_id`` is the engine's own id of its image."""

    fact: ClassVar[str] = "current"

    version: str
    image_id: str
    digest: Digest | None = None
    healthy: bool = True
    services: tuple[ServiceStatus, ...] = ()


class Target(Fact):
    """The release to go to, pinned by the digest that its tag had when it was chosen."""

    fact: ClassVar[str] = "target"

    release: Release
    repository: str
    digest: Digest
    platforms: tuple[str, ...] = ()
    downgrade: bool = False

    @property
    def pin(self) -> Pin:
        """What the version variable is set to."""
        return Pin(tag=self.release.version, digest=self.digest)

    @property
    def shown(self) -> str:
        """The image for a line of text: its digest cut to what a person compares."""
        return f"{self.repository}:{self.release.version}@{self.digest[:19]}…"


class PulledImage(Fact):
    """The new image on this host, and the name under which the old one is kept from being pruned."""

    fact: ClassVar[str] = "image"

    image_id: str
    digest: Digest
    size_bytes: int
    kept_as: str


class Receipt(Fact):
    """What is proven of a backup file: read back in full, hashed, complete, with the rows of each table."""

    fact: ClassVar[str] = "backup"

    path: Path
    sha256: str
    size_bytes: int
    dump_bytes: int
    rows: dict[str, int]
    version: str
    database: str
    server_version: str
    system_identifier: str
    taken_at: datetime
    duration_s: float


class StoppedServices(Fact):
    """The containers that were stopped, with the restart policies to give back."""

    fact: ClassVar[str] = "stopped"

    at: datetime
    services: tuple[ServiceStatus, ...]


class Snapshot(Fact):
    """The quiesced copy of the database beside itself, which a rollback swaps back."""

    fact: ClassVar[str] = "snapshot"

    database: str
    source: str
    size_bytes: int
    taken_at: datetime


class MigrationReport(Fact):
    """What the migration container did; its whole log is in ``log``."""

    fact: ClassVar[str] = "migration"

    container: str
    exit_code: int
    duration_s: float
    log: Path


class Serving(Fact):
    """First moment at which a version was seen to answer as it should."""

    fact: ClassVar[str] = "serving"

    at: datetime
    version: str
    image_id: str


class Quarantine(Fact):
    """A database set aside with everything in it, never dropped before retention."""

    fact: ClassVar[str] = "quarantine"

    database: str
    restored_from: str


class Retention(Fact):
    """What cleanup removed; everything else that a run made is still there."""

    fact: ClassVar[str] = "retention"

    backups: tuple[Path, ...] = ()
    databases: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


FactT = TypeVar("FactT", bound=Fact)


class Facts:
    """What a run has proven so far: name → value as journaled. The later one of two with one name counts."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values: dict[str, Any] = dict(values or {})

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> Self:
        """Collect facts by their names."""
        return cls({fact.fact: fact.model_dump(mode="json") for fact in facts})

    def find(self, kind: type[FactT]) -> FactT | None:
        """The fact of this kind, or None where no state has proven it.

        Raises:
            pydantic.ValidationError: the journaled value is not of this kind's shape.
        """
        value = self._values.get(kind.fact)
        return None if value is None else kind.model_validate(value)

    def joined(self, later: Facts) -> Facts:
        """These facts with ``later`` over them."""
        return Facts({**self._values, **later.to_json()})

    def to_json(self) -> dict[str, Any]:
        """The values as they are journaled."""
        return dict(self._values)


class EffectScope(StrEnum):
    """What a state may change."""

    NOTHING = "nothing"
    FILES = "files"
    IMAGES = "images"
    APP = "app"
    DATABASE = "database"


class Question(Word):
    """What the operator is asked before anything is changed."""

    title: str
    lines: tuple[str, ...]
    notes: str = ""
    prompt: str = "Upgrade now?"


class Progress(Word):
    """How far a state is. ``total`` is None while it is unknown; ``unit`` is ``bytes`` or a plural noun."""

    label: str
    done: int = 0
    total: int | None = None
    unit: str = Field(default="bytes")
