"""One server and its databases, as `PostgresStore` needs them; the fakes of the tests stand in here."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from orchestrator.adapters.postgres.model import DatabaseProperties, Inventory, PgChangeToken
from orchestrator.core.deadline import Deadline
from orchestrator.core.foresight import Obstacle
from orchestrator.core.model.stores import Changes, Session, StoreFacts, StoreLoad


class Database(Protocol):
    """The app's database and its server. ``name`` arguments are names of databases. Raises `DatabaseError`."""

    def inspect(self) -> StoreFacts:
        """``database.unreachable``, ``database.authentication``, ``database.missing``, ``database.version``."""

    def read_system_identifier(self) -> str:
        """Which server this is, `StoreFacts.system_identifier`, in one short question."""

    def sizes(self) -> Mapping[str, int]:
        """All databases of the server with their sizes in bytes."""

    def sessions(self, name: str) -> tuple[Session, ...]:
        """Who is connected, ourselves left out."""

    def connections(self) -> tuple[Session, ...]:
        """Who is connected to any database of the server, programs of ours left out."""

    def find_obstacles(self, name: str, *, rehearsed: bool) -> tuple[Obstacle, ...]:
        """What of a database or its server would keep an upgrade from copying, swapping or migrating it.

        ``rehearsed``: it is to be restored into a scratch server, too. Reads only.
        """

    def inspect_load(self, name: str) -> StoreLoad:
        """What would keep us from having the database to ourselves."""

    def properties(self, name: str) -> DatabaseProperties:
        """Encoding, locale, owner, grants, settings."""

    # The next six reach into a fenced database too: they open the fence for themselves, close it behind them,
    # and all but `mark` and `changes` raise ``database.in_use`` when somebody else has slipped in meanwhile.

    def inventory(self, name: str, *, deadline: Deadline) -> Inventory:
        """What is in the database, its rows left out."""

    def mark(self, name: str) -> PgChangeToken:
        """This moment, for `changes`. It proves something later where the database was closed to everybody then."""

    def changes(self, name: str, since: PgChangeToken, *, ours: Collection[str] = ()) -> Changes:
        """What was written to the database since a mark of it; what cannot be proven is no ``untouched``.

        ``ours``: databases that the run has made since, of which nothing is told in `Changes.beyond`.
        """

    def rows(self, name: str, *, deadline: Deadline) -> dict[str, int]:
        """Exact number of rows of each table, keyed ``schema.table`` as in `BackupManifest.rows`."""

    def longest_lock_s(self, name: str) -> float:
        """Age of the oldest transaction that keeps others from writing to a table now; 0 if there is none."""

    def dump(self, write: Callable[[bytes], None], *, deadline: Deadline) -> None:
        """Stream a plain dump of the live database. ``database.dump_failed``, ``database.locked``."""

    def copy(self, source: str, name: str, *, deadline: Deadline) -> None:
        """Copy a database nobody is connected to, with owner, grants and settings; the copy is fenced.

        ``database.in_use``, ``database.no_space``; on any error nothing of it is left.
        """

    def restore(
        self,
        chunks: Iterable[bytes],
        name: str,
        *,
        like: DatabaseProperties,
        deadline: Deadline,
        proven: bool = True,
    ) -> None:
        """Create ``name`` with encoding, locale, owner, grants and settings of ``like`` and load a plain dump.

        All or nothing: on any error the new database is dropped again. ``database.restore_failed``.
        What the dump holds is run by roles without rights of their own. What only a superuser can make is made where
        the dump is ``proven``, one that was taken here and read back; of any other it is refused.
        """

    def fence(self, name: str) -> None:
        """Let nobody connect any more, superusers included; who is connected stays. Repeating is harmless."""

    def unfence(self, name: str) -> None:
        """Let everybody connect again. Repeating is harmless."""

    def swap(self, live: str, replacement: str, aside: str) -> None:
        """In one transaction: ``live`` → ``aside``, which can be looked into, and ``replacement`` → ``live``."""

    def terminate_sessions(self, name: str, pids: Sequence[int] | None = None) -> int:
        """End these sessions on the database, or (None) every one but our own; how many there were."""

    def end_abandoned(self) -> None:
        """End what programs still do on the server that an earlier process of ours has begun and not outlived."""

    def drop(self, name: str) -> None:
        """Drop a database. The caller knows from the journal that it is ours. Repeating is harmless."""
