"""The way back of one store: what an earlier attempt has done already, where the data come from, and the exchange."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestrator.core.errors import BackupError, DatabaseError, StateError
from orchestrator.core.facts import Learned
from orchestrator.core.ledger import Artifact, ArtifactKind, ArtifactState, Ledger
from orchestrator.core.ports.data_store import DataStore, Role
from orchestrator.core.state_kind import StateContext
from orchestrator.core.store_facts import BackupManifest, Fence, LostSnapshot, Quarantine, RollbackDecision, Snapshot
from states.shared.artifacts import DATA, find_intended, find_other_data, intend, require_intended
from states.shared.backup_proof import prove_again, restore_beside
from states.shared.retry import is_away


@dataclass(frozen=True)
class DataReturn:
    """One store on its way back; ``existing`` is what was there when this attempt began."""

    ctx: StateContext[Any]
    store: DataStore
    existing: Mapping[str, int]

    @cached_property
    def live(self) -> str:
        """The ref of the live data."""
        fence, snapshot = self.ctx.find(Fence, self.store.name), self.snapshot
        if fence is not None:
            return fence.database
        return snapshot.source if snapshot else self.ctx.require(BackupManifest, self.store.name).database

    @cached_property
    def snapshot(self) -> Snapshot | None:
        """What `stop` has left."""
        return self.ctx.find(Snapshot, self.store.name)

    @cached_property
    def other(self) -> Artifact | None:
        """The row of the data that this run was to swap in."""
        return find_other_data(self.ctx, self.store)

    def prepare(self) -> tuple[Artifact, ...]:
        """Build the rows of the data to set aside, and of those to restore where there is no snapshot."""
        rows = [self._find_aside() or self._intend(ArtifactKind.QUARANTINE, Role.FAILED)]
        if self.snapshot is None or self.snapshot.database not in self.existing:
            earlier = find_intended(self.ctx, ArtifactKind.RESTORED, self.store)
            rows.append(earlier or self._intend(ArtifactKind.RESTORED, Role.RESTORED))
        return tuple(rows)

    def find_done(self) -> tuple[Learned, ...] | None:
        """What an earlier attempt has exchanged; None where it has not."""
        aside = self._aside
        name = self._find_swapped(aside) if self.live in self.existing else None
        if name is None:
            return None
        # What was counted before the exchange was journaled then, or is not known.
        restored, snapshot = find_intended(self.ctx, ArtifactKind.RESTORED, self.store), self.snapshot
        source = snapshot.database if snapshot and snapshot.database else restored.ref if restored else name
        way = RollbackDecision(
            store=self.store.name, decision="swap", evidence=f"{source} was swapped in by an earlier attempt."
        )
        aside = aside.model_copy(update={"ref": name})
        return (way, self._build_quarantine(source, aside), *self._tell_swapped(source, aside))

    def is_not_swapped_in(self) -> bool:
        """Whether other data were to be swapped in, and still lie beside."""
        return (
            self.other is not None
            and self.other.state is not ArtifactState.LIVE
            and self.other.ref in self.store.sizes()
        )

    def has_other_properties(self) -> bool:
        """Whether what lies outside of the data is not as it was: no token of theirs covers it."""
        snapshot, store = self.snapshot, self.store
        if snapshot is None:
            return False
        if snapshot.database is not None and snapshot.database in store.sizes():
            before = store.properties(snapshot.database)
        elif snapshot.backup is not None:
            before = snapshot.backup.fingerprint
        else:
            return False
        return bool(store.compare_properties(before, store.properties(snapshot.source)))

    def make_source(self) -> None:
        """See that the data to go back to lie beside: the snapshot, or the backup restored.

        Raises:
            SourceLostError: neither can be had.
        """
        if self._source.kind is not ArtifactKind.RESTORED:
            return
        snapshot = self.snapshot
        own = snapshot.backup if snapshot and snapshot.backup else None
        receipt = own or self.ctx.require(BackupManifest, self.store.name)
        try:
            restore_beside(self.ctx, receipt, self._source.ref)
        except (BackupError, DatabaseError) as error:
            if is_away(error):
                raise
            raise SourceLostError(self._find_whole(receipt), error) from error

    def exchange(self) -> tuple[Learned, ...]:
        """Bring the data back, and keep the failed ones."""
        source, aside = self._source.ref, self._aside
        names = {*self.existing}
        if aside.ref in names:
            ref = self.store.choose_ref(self.live, self.ctx.run_id, Role.FAILED, names)
            aside = aside.model_copy(update={"ref": ref})
        self.store.exchange(self.live, source, aside.ref)
        return (self._build_quarantine(source, aside), *self._tell_swapped(source, aside))

    def tell_unswapped(self, way: RollbackDecision) -> tuple[Artifact, ...]:
        """Build the rows where the data stay."""
        kinds = (ArtifactKind.QUARANTINE, ArtifactKind.RESTORED)
        unused = self.ctx.ledger.find(
            *kinds, run=self.ctx.run_id, store=self.store.name, states=(ArtifactState.INTENDED,)
        )
        # Users go on with the migrated data: whether those of the stop are worth keeping is for an operator to say.
        kept: tuple[Artifact, ...] = ()
        if way.decision == "keep_data":
            kept = self.ctx.ledger.find(ArtifactKind.SNAPSHOT, run=self.ctx.run_id, store=self.store.name)
        return (*(row.gone() for row in unused), *(row.keep_for_operator() for row in kept))

    @property
    def _aside(self) -> Artifact:
        return self._find_aside() or require_intended(self.ctx, ArtifactKind.QUARANTINE, self.store)

    @property
    def _source(self) -> Artifact:
        snapshot = self.snapshot
        if snapshot is not None and snapshot.database is not None and snapshot.database in self.existing:
            return _find_row(self.ctx.ledger, self.store, snapshot.database)
        return require_intended(self.ctx, ArtifactKind.RESTORED, self.store)

    def _intend(self, kind: ArtifactKind, role: Role) -> Artifact:
        ref = self.store.choose_ref(self.live, self.ctx.run_id, role, self.existing)
        return intend(self.ctx, kind, ref, self.store)

    def _find_aside(self) -> Artifact | None:
        """Return the row of the failed data, not that of the data that an exchange has set aside."""
        rows = self.ctx.ledger.find(
            ArtifactKind.QUARANTINE,
            run=self.ctx.run_id,
            store=self.store.name,
            states=(ArtifactState.INTENDED,),
        )
        snapshot = self.snapshot
        return next((row for row in reversed(rows) if snapshot is None or row.ref != snapshot.database), None)

    # That there are data with this ref tells no exchange: somebody else may have made them.
    def _find_swapped(self, aside: Artifact) -> str | None:
        """Return the ref under which an earlier attempt has set the failed data aside; None where none has."""
        other, snapshot = self.other, self.snapshot
        if snapshot is not None and snapshot.database is not None and snapshot.database in self.existing:
            return None
        if other is not None:
            # What an operator had swapped in goes the way it came: the data that were live are live again then.
            back = other.state is ArtifactState.LIVE or other.ref not in self.existing
            return aside.ref if back else None
        if snapshot is None:
            return aside.ref if aside.ref in self.existing else None
        if self.store.is_same(self.live, snapshot.mark):
            return None
        return aside.ref if aside.ref in self.existing else self._find_by_identity(snapshot)

    # On a full disk a way back goes on without its records: then the ledger lacks the ref of what was set aside.
    def _find_by_identity(self, snapshot: Snapshot) -> str | None:
        for ref in self.existing:
            with suppress(StateError):
                if self.store.is_same(ref, snapshot.mark):
                    return ref
        return None

    def _build_quarantine(self, source: str, aside: Artifact) -> Quarantine:
        return Quarantine(store=self.store.name, database=aside.ref, restored_from=source)

    def _tell_swapped(self, source: str, aside: Artifact) -> tuple[Artifact, ...]:
        """Build the rows after the exchange, and after that on request whose end the journal lacks."""
        run, before, ledger, other = self.ctx.run_id, self.ctx.ledger, self.ctx.ledger, self.other
        if other is not None and other.state is not ArtifactState.LIVE:
            incoming = _find_row(ledger, self.store, source)
            ledger = ledger.joined(ledger.exchange(run, other, incoming, self.live))
        ledger = ledger.joined(ledger.exchange(run, _find_row(ledger, self.store, source), aside, self.live))
        unused = ledger.find(ArtifactKind.RESTORED, run=run, store=self.store.name, states=(ArtifactState.INTENDED,))
        ledger = ledger.joined(row.gone() for row in unused)
        return tuple(row for row in ledger.rows.values() if before.rows.get(row.id) != row)

    def _find_whole(self, receipt: BackupManifest) -> LostSnapshot:
        whole = (one for one in (receipt, *self._find_earlier(receipt)) if _is_whole(self.ctx, one))
        return LostSnapshot(store=self.store.name, receipt=next(whole, None))

    def _find_earlier(self, receipt: BackupManifest) -> Iterator[BackupManifest]:
        origin = (receipt.store, receipt.database, receipt.system_identifier)
        for other in self.ctx.history.receipts():
            if (other.store, other.database, other.system_identifier) == origin and other.path != receipt.path:
                yield other


class SourceLostError(Exception):
    """There are no data to go back to; ``fact`` says what an operator may go back to."""

    def __init__(self, fact: LostSnapshot, error: StateError) -> None:
        super().__init__(error.summary)
        self.fact = fact
        self.error = error


def _find_row(ledger: Ledger, store: DataStore, ref: str) -> Artifact:
    return next(row for row in reversed(ledger.find(*DATA, store=store.name)) if row.ref == ref)


def _is_whole(ctx: StateContext[Any], receipt: BackupManifest) -> bool:
    try:
        prove_again(ctx, receipt)
    except (BackupError, DatabaseError):
        return False
    return True
