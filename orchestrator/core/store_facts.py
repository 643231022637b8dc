"""What states prove of a store; each store has its own. Times are in UTC, sizes are bytes, durations are seconds."""

from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import JsonValue

from orchestrator.core.facts import StoreFact
from orchestrator.core.model.stores import ChangeToken, Fingerprint


class BackupManifest(StoreFact):
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
    properties: dict[str, JsonValue]
    inventory: dict[str, JsonValue]
    taken_at: datetime
    duration_s: float

    @property
    def fingerprint(self) -> Fingerprint:
        """What the data are that it holds."""
        return Fingerprint(rows=self.rows, properties=self.properties, inventory=self.inventory)


class Fence(StoreFact):
    """The database that is closed to everybody but us from `stop` on, until a version may serve on it again.

    ``mark`` is what it was then, where no snapshot says so; None before it was seen to be closed.
    ``service`` and ``user`` are how an operator gets at it by hand; empty in the journals of earlier versions.
    ``free_bytes`` was the room beside its files before that, None when it could not be seen.
    """

    fact: ClassVar[str] = "fence"

    database: str
    mark: ChangeToken | None = None
    service: str = ""
    user: str = ""
    free_bytes: int | None = None


class Snapshot(StoreFact):
    """The quiesced copy of the database that a rollback goes back to.

    ``database`` lies beside the live one; where there was no room for it, ``backup`` is a proven dump instead.
    """

    fact: ClassVar[str] = "snapshot"

    database: str | None
    backup: BackupManifest | None = None
    source: str
    size_bytes: int
    mark: ChangeToken
    taken_at: datetime


class RollbackDecision(StoreFact):
    """Which way back was taken, and the evidence that it was the right one.

    ``image_only``: nothing was written. ``keep_data``: what users wrote stays, under the old version. ``swap``:
    the data as it was when the app stopped. ``beyond``: what has changed outside of the database since, which no way
    brings back.
    """

    fact: ClassVar[str] = "way_back"

    decision: Literal["image_only", "keep_data", "swap"]
    evidence: str
    beyond: tuple[str, ...] = ()


class LostSnapshot(StoreFact):
    """There was no snapshot to go back to, and the backup could not take its place either.

    ``receipt`` is of the newest backup that reads back whole, None where there is none.
    """

    fact: ClassVar[str] = "lost_snapshot"

    receipt: BackupManifest | None


class Quarantine(StoreFact):
    """A database set aside with everything in it, never dropped before retention."""

    fact: ClassVar[str] = "quarantine"

    database: str
    restored_from: str


class OtherData(StoreFact):
    """Data beside the live ones that are to take their place; ``origin`` says in words what they are.

    ``artifact`` is their row in the ledger, ``version`` the app's that they belong to. ``commits_since`` are the
    transactions of the live data since then, None where the server's counters cannot tell.
    """

    fact: ClassVar[str] = "other_data"

    artifact: str
    origin: str
    version: str
    commits_since: int | None = None
