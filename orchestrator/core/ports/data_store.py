"""What the app keeps, one port for each place in which it keeps it.

A plan has a list of stores, and a state treats all of them as one unit. A ``ref`` names data of a store, the live ones
or others that lie beside them; only the adapter builds one.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from orchestrator.core.deadline import Deadline
from orchestrator.core.foresight import Obstacle
from orchestrator.core.model.stores import Changes, ChangeToken, Fingerprint, Session, StoreFacts, StoreLoad


class Role(StrEnum):
    """What data that lie beside the live ones are for."""

    SNAPSHOT = "snapshot"
    RESTORED = "restore"
    FAILED = "failed"
    REPLACED = "replaced"
    REHEARSED = "rehearsed"
    TRIED = "tried"


GRACE_S = 10.0
"""How long those who are connected beside the app may take to leave by themselves."""

NameSessions = Callable[[Sequence[Session]], str]
"""Sessions as an operator knows them, for a sentence."""


class Clients(Protocol):
    """Whoever is connected to a store that is a server. Raises `DatabaseError`."""

    def sessions(self, name: str) -> tuple[Session, ...]:
        """List who is connected to the data ``name``, ourselves left out."""

    def connections(self) -> tuple[Session, ...]:
        """List who is connected to any data of the server, programs of ours left out."""

    def inspect_load(self, name: str) -> StoreLoad:
        """Find what would keep us from having the data to ourselves."""


class DataStore(Protocol):
    """One place in which the app keeps data. Raises `DatabaseError`."""

    @property
    def name(self) -> str:
        """The name of the store in the plan."""

    @property
    def file_suffix(self) -> str:
        """The end of the names of its backup files."""

    @property
    def clients(self) -> Clients | None:
        """Who is connected to it; None where nobody connects to a store of this kind."""

    # --- looking

    def inspect(self) -> StoreFacts:
        """Look at the live data. ``database.unreachable``, ``.authentication``, ``.missing``, ``.version``."""

    def identify(self) -> str:
        """Tell in one short question which store this is, as `StoreFacts.system_identifier`."""

    def describe(self, facts: StoreFacts) -> str:
        """Describe what `inspect` has found, for a line of `orchestrator doctor`."""

    def sizes(self) -> Mapping[str, int]:
        """List all data of the store by their ref, live ones and others, with their sizes in bytes."""

    def choose_ref(self, live: str, run_id: str, role: Role, taken: Collection[str] = ()) -> str:
        """Build the ref for data of a run beside ``live``; it carries the run, for people, and is none of ``taken``."""

    def find_obstacles(self, ref: str, *, rehearsed: bool) -> tuple[Obstacle, ...]:
        """Find what would keep an upgrade from copying, exchanging or migrating the data. Reads only.

        ``rehearsed``: they are to be loaded into a store for a trial, too.
        """

    def longest_lock_s(self, ref: str) -> float:
        """Tell for how long somebody has kept others from writing; 0 if nobody does."""

    def try_rights(self, ref: str, *, deadline: Deadline) -> str:
        """Make data ``ref`` without contents, lock, open and discard them; what was shown by that, as a clause."""

    # --- who may write

    def lock(self, ref: str, *, guests: Collection[str], name_sessions: NameSessions, deadline: Deadline) -> None:
        """Let nobody but us in any more, and wait until nobody is left.

        Sessions from the addresses ``guests`` are ended; everybody else has a while to leave by themselves.
        ``database.in_use`` names who stayed; ``database.prepared``.
        """

    def close(self, ref: str) -> None:
        """Let nobody in any more; who is in stays. Repeating is harmless."""

    def unlock(self, ref: str) -> None:
        """Let everybody in again. Repeating is harmless."""

    def evict(self, ref: str) -> None:
        """End every session of others on these data."""

    def finish_work(self, ref: str, *, deadline: Deadline) -> tuple[Session, ...]:
        """Give sessions on locked data a while to finish and end them; those that were still at work then."""

    def end_abandoned(self) -> None:
        """End what programs still do that an earlier process of ours has begun and not outlived."""

    # --- evidence; all but `token` and `changes` raise ``database.in_use`` when somebody else has slipped in

    def token(self, ref: str) -> ChangeToken:
        """Take this moment, for `changes`. It proves something later where the data were locked then."""

    def changes(self, ref: str, since: ChangeToken, *, ours: Collection[str] = ()) -> Changes:
        """Find what was written since a token of these data; what cannot be proven is not ``untouched``.

        ``ours``: data that the run has made since, of which nothing is said in `Changes.beyond`.
        """

    def is_same(self, ref: str, token: ChangeToken) -> bool:
        """Tell whether these data are those of the token, whatever was written to them since, and not others."""

    def was_restarted(self, facts: StoreFacts, since: ChangeToken) -> bool:
        """Tell whether what serves the store was started anew since a token."""

    def count_commits(self, ref: str, since: ChangeToken) -> int | None:
        """Count what was committed since a token; None where that cannot be told."""

    def properties(self, ref: str) -> Fingerprint:
        """Read what belongs to the data and lies outside of them."""

    def fingerprint(self, ref: str, *, deadline: Deadline) -> Fingerprint:
        """Read `properties` and the inventory."""

    def find_differences(self, ref: str, expected: Fingerprint, *, deadline: Deadline) -> tuple[str, ...]:
        """Find in which of the parts that ``expected`` has these data differ; each with what was found."""

    def compare_properties(self, one: Fingerprint, other: Fingerprint) -> tuple[str, ...]:
        """Name the properties that two fingerprints do not share. Pure."""

    def compare_copy(self, live: str, replica: str, token: ChangeToken) -> tuple[str, ...]:
        """Name what of a copy is not as in the live data, of which ``token`` is. Quick: it reads no rows."""

    # --- copies

    def copy(self, live: str, replica: str, *, deadline: Deadline) -> None:
        """Copy data on which nobody works, with all that belongs to them; the copy is locked.

        ``database.in_use``, ``database.no_space``; on any error nothing of it is left.
        """

    def dump(self, write: Callable[[bytes], None], *, deadline: Deadline) -> None:
        """Stream a dump of the live data. ``database.dump_failed``, ``database.locked``."""

    def load_beside(
        self, chunks: Iterable[bytes], ref: str, *, like: Fingerprint, deadline: Deadline, proven: bool = True
    ) -> None:
        """Load a dump as data ``ref`` with the properties of ``like``.

        All or nothing: on any error they are removed again. ``database.restore_failed``.
        What only an administrator can make is made where the dump is ``proven``, one that was taken here and read back;
        of any other it is refused.
        """

    def exchange(self, live: str, replica: str, aside: str) -> None:
        """In one atomic step: ``live`` → ``aside``, which can be looked into, and ``replica`` → ``live``."""

    def discard(self, ref: str) -> None:
        """Remove data. The caller knows from the journal that they are ours. Repeating is harmless."""
