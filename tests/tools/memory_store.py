"""A store of another make than the database: a dictionary with a lock, replicas beside it and an atomic exchange."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DatabaseError
from orchestrator.core.foresight import Obstacle
from orchestrator.core.model.stores import Changes, ChangeToken, Fingerprint, Session, StoreFacts
from orchestrator.core.ports.data_store import Clients, NameSessions, Role
from tests.tools.dump import build_dump, parse_dump
from tests.tools.script import Script
from tests.tools.things import FakeDb

_NUMBERS = itertools.count(1)
_TABLE = "public.cache"


@dataclass
class Contents:
    """Data under one ref. ``number`` stays with them whatever their ref becomes; ``locked``: nobody writes."""

    rows: list[str] = field(default_factory=list)
    locked: bool = False
    number: int = field(default_factory=lambda: next(_NUMBERS))

    def write(self, row: str) -> None:
        """Write as a client does.

        Raises:
            PermissionError: they are locked.
        """
        if self.locked:
            raise PermissionError("the store is locked")
        self.rows.append(row)


@dataclass
class MemoryStore:
    """`DataStore` on dictionaries; its effects are in the script of the world as ``<name>.<method>``."""

    script: Script
    name: str = "cache"
    file_suffix: str = ".cache.gz"
    clients: Clients | None = None
    live: str = "cache"
    data: dict[str, Contents] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.data.setdefault(self.live, Contents())

    def apart(self, script: Script) -> MemoryStore:
        """The store of a stage: the same make, and nothing in it."""
        return MemoryStore(script, self.name, live=self.live)

    @property
    def rows(self) -> list[str]:
        """What a user finds there."""
        return list(self.data[self.live].rows)

    # --- looking

    def inspect(self) -> StoreFacts:
        size_bytes = self.sizes()[self.live]
        facts = {"owner": "app", "server_version": "1", "system_identifier": self.identify()}
        return StoreFacts(name=self.live, size_bytes=size_bytes, **facts)

    def identify(self) -> str:
        self.script.look(f"{self.name}.identify")
        return f"memory of {self.name}"

    def describe(self, facts: StoreFacts) -> str:
        return f"{facts.name}, in memory"

    def sizes(self) -> Mapping[str, int]:
        self.script.look(f"{self.name}.sizes")
        return {ref: len(json.dumps(contents.rows)) for ref, contents in self.data.items()}

    def choose_ref(self, live: str, run_id: str, role: Role, taken: Collection[str] = ()) -> str:
        refs = (f"{live}:{role}:{run_id}:{number}" for number in itertools.count(1))
        return next(ref for ref in refs if ref not in taken)

    def find_obstacles(self, ref: str, *, rehearsed: bool) -> tuple[Obstacle, ...]:
        self.script.look(f"{self.name}.find_obstacles")
        return ()

    def longest_lock_s(self, ref: str) -> float:
        return 0.0

    def try_rights(self, ref: str, *, deadline: Deadline) -> str:
        return "data can be made and discarded"

    # --- who may write

    def lock(self, ref: str, *, guests: Collection[str], name_sessions: NameSessions, deadline: Deadline) -> None:
        with self.script.effect(f"{self.name}.lock", ref):
            self._get(ref).locked = True

    def close(self, ref: str) -> None:
        with self.script.effect(f"{self.name}.close", ref):
            self._get(ref).locked = True

    def unlock(self, ref: str) -> None:
        with self.script.effect(f"{self.name}.unlock", ref):
            self._get(ref).locked = False

    def evict(self, ref: str) -> None:
        with self.script.effect(f"{self.name}.evict", ref):
            self._get(ref)

    def finish_work(self, ref: str, *, deadline: Deadline) -> tuple[Session, ...]:
        self.evict(ref)
        return ()

    def end_abandoned(self) -> None:
        with self.script.effect(f"{self.name}.end_abandoned"):
            pass

    # --- evidence

    def token(self, ref: str) -> ChangeToken:
        self.script.look(f"{self.name}.token")
        contents = self._get(ref)
        return ChangeToken({"number": contents.number, "rows": list(contents.rows)})

    def changes(self, ref: str, since: ChangeToken, *, ours: Collection[str] = ()) -> Changes:
        self.script.look(f"{self.name}.changes")
        if self.token(ref) == since:
            return Changes(finding="untouched", reason="every row is the same")
        return Changes(finding="written", reason="its rows are not the same")

    def is_same(self, ref: str, token: ChangeToken) -> bool:
        return self.token(ref).root["number"] == token.root["number"]

    def was_restarted(self, facts: StoreFacts, since: ChangeToken) -> bool:
        return False

    def count_commits(self, ref: str, since: ChangeToken) -> int | None:
        return None

    def properties(self, ref: str) -> Fingerprint:
        self._get(ref)
        return Fingerprint(properties={"make": "memory"})

    def fingerprint(self, ref: str, *, deadline: Deadline) -> Fingerprint:
        return self.properties(ref)

    def find_differences(self, ref: str, expected: Fingerprint, *, deadline: Deadline) -> tuple[str, ...]:
        self.script.look(f"{self.name}.find_differences")
        same = expected.rows is None or expected.rows == {_TABLE: len(self._get(ref).rows)}
        return () if same else ("rows",)

    def compare_properties(self, one: Fingerprint, other: Fingerprint) -> tuple[str, ...]:
        return () if one.properties == other.properties else ("make",)

    def compare_copy(self, live: str, replica: str, token: ChangeToken) -> tuple[str, ...]:
        self.script.look(f"{self.name}.compare_copy")
        return () if self._get(replica).rows == token.root["rows"] else ("rows",)

    # --- copies

    def copy(self, live: str, replica: str, *, deadline: Deadline) -> None:
        with self.script.effect(f"{self.name}.copy", live, replica):
            self._make(replica, Contents(list(self._get(live).rows), locked=True))

    def dump(self, write: Callable[[bytes], None], *, deadline: Deadline) -> None:
        self.script.look(f"{self.name}.dump")
        write(build_dump(FakeDb(schema=1, tables={_TABLE: self.rows})))

    def load_beside(
        self, chunks: Iterable[bytes], ref: str, *, like: Fingerprint, deadline: Deadline, proven: bool = True
    ) -> None:
        with self.script.effect(f"{self.name}.load_beside", ref):
            self._make(ref, Contents(parse_dump(b"".join(chunks), owner="app").tables[_TABLE]))

    def exchange(self, live: str, replica: str, aside: str) -> None:
        with self.script.effect(f"{self.name}.exchange", live, replica, aside):
            failed, good = self._get(live), self._get(replica)
            self._make(aside, failed)
            self.data[live] = good
            del self.data[replica]

    def discard(self, ref: str) -> None:
        with self.script.effect(f"{self.name}.discard", ref):
            self.data.pop(ref, None)

    def _get(self, ref: str) -> Contents:
        if ref not in self.data:
            raise DatabaseError("database.missing", f"There are no data {ref}.")
        return self.data[ref]

    def _make(self, ref: str, contents: Contents) -> None:
        if ref in self.data:
            raise DatabaseError("database.exists", f"There are data {ref} already.")
        self.data[ref] = contents
