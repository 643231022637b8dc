"""What states prove: each fact is journaled under its own name, and later states read it by that name.

Times are aware and in UTC, sizes are bytes, durations are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias, TypeVar

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from orchestrator.core.ledger import DATABASE, Artifact, Ledger
from orchestrator.core.model.base import Digest, FrozenModel
from orchestrator.core.model.images import Pin
from orchestrator.core.model.releases import Release
from orchestrator.core.model.stores import ChangeToken
from orchestrator.core.model.workloads import Gate, ServiceStatus


class Fact(FrozenModel):
    """A word with a name of its own under which it is journaled and found again."""

    fact: ClassVar[str]

    @property
    def key(self) -> str:
        """The name under which it is journaled."""
        return self.fact


class StoreFact(Fact):
    """A fact of one store; each store has its own."""

    store: str = DATABASE

    @property
    def key(self) -> str:
        """The name of the fact, with that of the store; the first of all stores had none."""
        return build_key(type(self), self.store)

    @model_serializer(mode="wrap")
    def _leave_first_unnamed(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return {name: value for name, value in written.items() if (name, value) != ("store", DATABASE)}


class FrozenProject(Fact):
    """The project as it was when the run began; going back uses this, not what somebody edited meanwhile.

    ``files``: path → hash of each file that says what is done, the plan among them; it tells who edits them.
    ``variable`` is the version variable, ``pin_text`` its value.
    """

    fact: ClassVar[str] = "project"

    name: str
    directory: Path
    template: Path
    template_sha256: str
    pin_text: str
    services: tuple[str, ...]
    files: dict[str, str] = Field(default_factory=dict)
    variable: str = ""


class Place(Fact):
    """On which engine and which stores a run works; if it is cut off, it goes on there and nowhere else.

    ``stores``: name → identity of each store that could be asked.
    """

    fact: ClassVar[str] = "place"

    engine_id: str
    stores: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _read_earlier(cls, value: dict[str, Any]) -> dict[str, Any]:
        return _rename_earlier(value, "system_identifier", "stores")


class Current(Fact):
    """The version that runs when the run begins. ``image_id`` is the engine's own id of its image."""

    fact: ClassVar[str] = "current"

    version: str
    image_id: str
    digest: Digest | None = None
    healthy: bool = True
    services: tuple[ServiceStatus, ...] = ()


class TargetRelease(Fact):
    """The release to go to, pinned by the digest that its tag had when it was chosen.

    ``image_tag`` is the tag of its image where that is not the release's own name: ``2.0.0`` for ``v2.0.0``.
    """

    fact: ClassVar[str] = "target"

    release: Release
    repository: str
    digest: Digest
    platforms: tuple[str, ...] = ()
    downgrade: bool = False
    image_tag: str | None = None

    @property
    def tag(self) -> str:
        """The tag of the release's image."""
        return self.image_tag or self.release.version

    @property
    def pin(self) -> Pin:
        """What the version variable is set to."""
        return Pin(tag=self.tag, digest=self.digest)

    @property
    def shown(self) -> str:
        """The image for a line of text: its digest cut to what a person compares."""
        return f"{self.repository}:{self.tag}@{self.digest[:19]}…"


class PulledImage(Fact):
    """The new image on this host, and the name under which the old one is kept from being pruned."""

    fact: ClassVar[str] = "image"

    image_id: str
    digest: Digest
    size_bytes: int
    kept_as: str


class StoppedServices(Fact):
    """The containers that were stopped, with the restart policies to give back."""

    fact: ClassVar[str] = "stopped"

    at: datetime
    services: tuple[ServiceStatus, ...]


class MigrationReport(Fact):
    """What the migration container did; its whole log is in ``log``."""

    fact: ClassVar[str] = "migration"

    container: str
    exit_code: int
    duration_s: float
    log: Path


class Rehearsal(Fact):
    """What restore and migration of the backup on a scratch copy have shown while the old version served.

    ``longest_lock_s`` is how long the migration kept other writers from a table at most, ``outage_s`` what the
    real upgrade is expected to take. ``alone``: it was well with nothing around it but what it depends on, and the live
    database would let it in from such a network, too. ``old_version_lives``: the old version was healthy on the
    migrated copy; otherwise ``old_version_problem`` says what it was not.
    """

    fact: ClassVar[str] = "rehearsal"

    backup_sha256: str
    database_bytes: int
    disk_peak_bytes: int
    dump_s: float
    restore_s: float
    copy_s: float
    migrate_s: float
    start_s: float
    longest_lock_s: float
    outage_s: float
    alone: bool = False
    old_version_lives: bool
    old_version_problem: str = ""


class Started(Fact):
    """The new version was brought up, where users reach it (``open``) or where they do not (``closed``)."""

    fact: ClassVar[str] = "started"

    at: datetime
    gate: Gate


class Committed(Fact):
    """The pivot: from the moment this is durable the new version stays, whatever happens.

    ``marks``: store → what had been written by then, where that could be read.
    """

    fact: ClassVar[str] = "committed"

    at: datetime
    version: str
    pin: str
    marks: dict[str, ChangeToken] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _read_earlier(cls, value: dict[str, Any]) -> dict[str, Any]:
        return _rename_earlier(value, "mark", "marks")


class Serving(Fact):
    """First moment at which a version was seen to answer its users as it should."""

    fact: ClassVar[str] = "serving"

    at: datetime
    version: str
    image_id: str


def build_key(kind: type[Fact], store: str = DATABASE) -> str:
    """Build the name under which a fact of this kind is journaled."""
    return kind.fact if store == DATABASE else f"{kind.fact}/{store}"


# Journals of before there was a list of stores have one value, of the one store.
def _rename_earlier(value: dict[str, Any], earlier: str, name: str) -> dict[str, Any]:
    if earlier not in value:
        return value
    others = {key: one for key, one in value.items() if key != earlier}
    return others if value[earlier] is None else {**others, name: {DATABASE: value[earlier]}}


FactT = TypeVar("FactT", bound=Fact)
StoreFactT = TypeVar("StoreFactT", bound=StoreFact)
Learned: TypeAlias = Fact | Artifact  # what a state tells: one record has both


class Facts:
    """What a run has proven so far: name → value as journaled. The later one of two with one name counts."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values: dict[str, Any] = dict(values or {})

    @classmethod
    def of(cls, learned: Iterable[Learned]) -> Self:
        """Collect facts by their names; rows of the ledger are none."""
        return cls({one.key: one.model_dump(mode="json") for one in learned if isinstance(one, Fact)})

    def find(self, kind: type[FactT], store: str = DATABASE) -> FactT | None:
        """The fact of this kind, of one store where each has its own; None where no state has proven it.

        Raises:
            pydantic.ValidationError: the journaled value is not of this kind's shape.
        """
        value = self._values.get(build_key(kind, store))
        return None if value is None else kind.model_validate(value)

    def find_all(self, kind: type[StoreFactT]) -> tuple[StoreFactT, ...]:
        """The facts of this kind of all stores, in the order in which they were proven first."""
        keys = (key for key in self._values if key.partition("/")[0] == kind.fact)
        return tuple(kind.model_validate(self._values[key]) for key in keys if self._values[key] is not None)

    def joined(self, later: Facts) -> Facts:
        """These facts with ``later`` over them."""
        return Facts({**self._values, **later.to_json()})

    def to_json(self) -> dict[str, Any]:
        """The values as they are journaled."""
        return dict(self._values)


@dataclass(frozen=True)
class Known:
    """What a record tells, or all records of a run so far: facts, and rows of the ledger."""

    facts: Facts
    ledger: Ledger

    @classmethod
    def of(cls, learned: Iterable[Learned] = ()) -> Known:
        """Collect what a state tells."""
        told = tuple(learned)
        return cls(Facts.of(told), Ledger().joined(told))

    def joined(self, later: Known) -> Known:
        """This with ``later`` over it."""
        return Known(self.facts.joined(later.facts), self.ledger.joined(later.ledger.rows.values()))

    def to_json(self) -> dict[str, Any]:
        """As in the payload of a record."""
        rows = [row.model_dump(mode="json") for row in self.ledger.rows.values()]
        return {"facts": self.facts.to_json(), **({"ledger": rows} if rows else {})}
