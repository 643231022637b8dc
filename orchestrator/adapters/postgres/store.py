"""One PostgreSQL database as `orchestrator.core.ports.data_store.DataStore`: refs are names of databases."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from orchestrator.adapters.postgres.comparison import find_other_inventory, find_other_properties, find_other_rows
from orchestrator.adapters.postgres.database import Database
from orchestrator.adapters.postgres.model import DatabaseProperties, Inventory, PgChangeToken
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DatabaseError, DeadlineExceededError, StateError
from orchestrator.core.foresight import Obstacle
from orchestrator.core.ledger import DATABASE
from orchestrator.core.model.stores import Changes, ChangeToken, Fingerprint, Session, StoreFacts
from orchestrator.core.ports.data_store import GRACE_S, Clients, NameSessions, Role

_FINISH_S = 5.0
_POLL_S = 0.1
_NAME_AT_MOST = 30  # of 63 bytes
_OTHERS_AT_MOST = 10
_EMPTY_DUMP = (
    b"--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n\n"
    b"--\n-- PostgreSQL database dump complete\n--\n"
)


@dataclass(frozen=True)
class PostgresStore:
    """The live database of a server, and the databases that lie beside it.

    The fence binds superusers too, but not sessions that are open already: close first, end sessions then.
    """

    database: Database
    name: str = DATABASE
    file_suffix: str = ".sql.gz"

    @property
    def clients(self) -> Clients:
        """See `DataStore.clients`."""
        return self.database

    # --- looking

    def inspect(self) -> StoreFacts:
        """See `DataStore.inspect`."""
        return self.database.inspect()

    def identify(self) -> str:
        """See `DataStore.identify`."""
        return self.database.read_system_identifier()

    def describe(self, facts: StoreFacts) -> str:
        """See `DataStore.describe`."""
        return f"{facts.name} as {facts.user}, PostgreSQL {facts.server_version}, {facts.size_bytes / 1024**2:.1f} MiB"

    def sizes(self) -> Mapping[str, int]:
        """See `DataStore.sizes`."""
        return self.database.sizes()

    def choose_ref(self, live: str, run_id: str, role: Role, taken: Collection[str] = ()) -> str:
        """See `DataStore.choose_ref`. At most 63 bytes."""
        name = f"{live[:_NAME_AT_MOST]}__{role}_{run_id.replace('-', '_')}"
        others = (f"{name}_{number}" for number in range(2, _OTHERS_AT_MOST))
        return name if name not in taken else next((other for other in others if other not in taken), name)

    def find_obstacles(self, ref: str, *, rehearsed: bool) -> tuple[Obstacle, ...]:
        """See `DataStore.find_obstacles`."""
        return self.database.find_obstacles(ref, rehearsed=rehearsed)

    def longest_lock_s(self, ref: str) -> float:
        """See `DataStore.longest_lock_s`."""
        return self.database.longest_lock_s(ref)

    def try_rights(self, ref: str, *, deadline: Deadline) -> str:
        """See `DataStore.try_rights`: an empty database goes through all that an upgrade does with a copy."""
        like = self.database.properties(self.database.inspect().name)
        try:
            self.database.restore([_EMPTY_DUMP], ref, like=like, deadline=deadline)
            self.database.fence(ref)
            self.database.unfence(ref)
        except StateError:
            with suppress(StateError):  # the first error is the one to be read
                self.database.drop(ref)
            raise
        self.database.drop(ref)
        return "a database can be made, loaded, fenced and dropped"

    # --- who may write

    def lock(self, ref: str, *, guests: Collection[str], name_sessions: NameSessions, deadline: Deadline) -> None:
        """See `DataStore.lock`. Ending strangers could undo what they are about to save."""
        self.database.fence(ref)
        self._refuse_prepared(ref)
        grace = deadline.sooner(GRACE_S, what="Waiting for everybody else to leave the database")
        try:
            grace.poll(lambda: self._is_left(ref, guests), every_s=_POLL_S)
        except DeadlineExceededError as timeout:
            deadline.check()
            raise DatabaseError(
                "database.in_use",
                f"With the app stopped, {name_sessions(self.database.sessions(ref))} is still connected to {ref}.",
                hint="Stop what uses the database beside the app, or list its service under `target: disconnect:`.",
            ) from timeout

    def close(self, ref: str) -> None:
        """See `DataStore.close`."""
        self.database.fence(ref)

    def unlock(self, ref: str) -> None:
        """See `DataStore.unlock`."""
        self.database.unfence(ref)

    def evict(self, ref: str) -> None:
        """See `DataStore.evict`."""
        self.database.terminate_sessions(ref)

    def finish_work(self, ref: str, *, deadline: Deadline) -> tuple[Session, ...]:
        """See `DataStore.finish_work`."""
        grace = deadline.sooner(_FINISH_S, what="Waiting for sessions to end")
        with suppress(DeadlineExceededError):
            grace.poll(lambda: None if self._find_working(ref) else True, every_s=_POLL_S)
        working = self._find_working(ref)
        self.database.terminate_sessions(ref)
        return working

    def end_abandoned(self) -> None:
        """See `DataStore.end_abandoned`."""
        self.database.end_abandoned()

    # --- evidence

    def token(self, ref: str) -> ChangeToken:
        """See `DataStore.token`."""
        return wrap(self.database.mark(ref))

    def changes(self, ref: str, since: ChangeToken, *, ours: Collection[str] = ()) -> Changes:
        """See `DataStore.changes`."""
        return self.database.changes(ref, unwrap(since), ours=ours)

    def is_same(self, ref: str, token: ChangeToken) -> bool:
        """See `DataStore.is_same`: a database keeps its number whatever its name becomes."""
        return self.database.mark(ref).database == unwrap(token).database

    def was_restarted(self, facts: StoreFacts, since: ChangeToken) -> bool:
        """See `DataStore.was_restarted`."""
        return bool(facts.server_began) and facts.server_began != unwrap(since).server_began

    def count_commits(self, ref: str, since: ChangeToken) -> int | None:
        """See `DataStore.count_commits`; those that only read count too."""
        now, then = self.database.mark(ref), unwrap(since)
        # Counters that were lost in a crash, reset or switched off tell nothing; another database has others.
        if now.database != then.database or now.transactions < then.transactions:
            return None
        if not then.counted_since or now.counted_since != then.counted_since:
            return None
        return now.transactions - then.transactions

    def properties(self, ref: str) -> Fingerprint:
        """See `DataStore.properties`."""
        return Fingerprint(properties=self.database.properties(ref).model_dump(mode="json"))

    def fingerprint(self, ref: str, *, deadline: Deadline) -> Fingerprint:
        """See `DataStore.fingerprint`."""
        properties = self.properties(ref).properties
        inventory = self.database.inventory(ref, deadline=deadline)
        return Fingerprint(properties=properties, inventory=inventory.model_dump(mode="json"))

    def find_differences(self, ref: str, expected: Fingerprint, *, deadline: Deadline) -> tuple[str, ...]:
        """See `DataStore.find_differences`."""
        different: list[str] = []
        if expected.rows is not None:
            different += find_other_rows(expected.rows, self.database.rows(ref, deadline=deadline))
        if expected.properties is not None:
            different += find_other_properties(read_properties(expected), self.database.properties(ref))
        if expected.inventory is not None:
            found = self.database.inventory(ref, deadline=deadline)
            different += find_other_inventory(Inventory.model_validate(expected.inventory), found)
        return tuple(different)

    def compare_properties(self, one: Fingerprint, other: Fingerprint) -> tuple[str, ...]:
        """See `DataStore.compare_properties`."""
        return find_other_properties(read_properties(one), read_properties(other))

    def compare_copy(self, live: str, replica: str, token: ChangeToken) -> tuple[str, ...]:
        """See `DataStore.compare_copy`: both catalogs are the same, entry by entry, when the copy is whole."""
        different = find_other_properties(self.database.properties(live), self.database.properties(replica))
        same = self.database.mark(replica).catalog == unwrap(token).catalog
        return different if same else (*different, "catalog")

    # --- copies

    def copy(self, live: str, replica: str, *, deadline: Deadline) -> None:
        """See `DataStore.copy`."""
        self.database.copy(live, replica, deadline=deadline)

    def dump(self, write: Callable[[bytes], None], *, deadline: Deadline) -> None:
        """See `DataStore.dump`."""
        self.database.dump(write, deadline=deadline)

    def load_beside(
        self, chunks: Iterable[bytes], ref: str, *, like: Fingerprint, deadline: Deadline, proven: bool = True
    ) -> None:
        """See `DataStore.load_beside`."""
        self.database.restore(chunks, ref, like=read_properties(like), deadline=deadline, proven=proven)

    def exchange(self, live: str, replica: str, aside: str) -> None:
        """See `DataStore.exchange`: two names in one transaction, in milliseconds at any size."""
        self.database.swap(live, replica, aside)

    def discard(self, ref: str) -> None:
        """See `DataStore.discard`."""
        self.database.drop(ref)

    # --- how

    def _is_left(self, ref: str, guests: Collection[str]) -> bool | None:
        sessions = self.database.sessions(ref)
        own = [one.pid for one in sessions if one.address in guests]
        if own:
            self.database.terminate_sessions(ref, own)
        return None if sessions else True

    def _find_working(self, ref: str) -> tuple[Session, ...]:
        return tuple(one for one in self.database.sessions(ref) if one.active)

    def _refuse_prepared(self, ref: str) -> None:
        prepared = self.database.inspect_load(ref).prepared
        if prepared:
            raise DatabaseError(
                "database.prepared",
                f"Prepared transactions wait in {ref} for their commit: {', '.join(prepared)}.",
                hint="End them in the program that prepared them, or by hand: COMMIT PREPARED or ROLLBACK PREPARED.",
            )


def wrap(token: PgChangeToken) -> ChangeToken:
    """Build the opaque token that the journal keeps."""
    return ChangeToken(token.model_dump(mode="json"))


def unwrap(token: ChangeToken) -> PgChangeToken:
    """Read an opaque token that a database of ours has given out."""
    return PgChangeToken.model_validate(token.root)


def read_properties(fingerprint: Fingerprint) -> DatabaseProperties:
    """Read the properties of a database; a fingerprint without them is a bug of its caller."""
    return DatabaseProperties.model_validate(fingerprint.properties)
