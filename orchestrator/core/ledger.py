"""The ledger: one row for each artifact that a run makes, from before it is made until it is gone.

A row is written as `intended`, durably, before the deed. Later processes find an artifact by its row, never by the
look of its name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.core.model.base import FrozenModel

DATABASE = "database"  # the store of a plan with one database


class ArtifactKind(StrEnum):
    """What a run makes."""

    BACKUP = "backup"  # a dump in a file
    SNAPSHOT = "snapshot"  # the quiesced copy of a store
    RESTORED = "restored"  # a backup restored beside the live store
    QUARANTINE = "quarantine"  # data that were live and were set aside
    IMAGE = "image"  # the name under which the old image is kept
    PROJECT = "project"  # the frozen project, with the secrets in it
    JOB = "job"  # the container of a migration


class ArtifactState(StrEnum):
    """How far an artifact is, or what became of it."""

    INTENDED = "intended"  # it may be there in part, in full or not at all
    WHOLE = "whole"  # it is complete, and was seen to be
    LIVE = "live"  # its data are those that the app works on
    ASIDE = "aside"  # its data were live and were set aside
    GONE = "gone"  # removed, or never made


class NeededUntil(StrEnum):
    """When an artifact may go."""

    RUN_END = "run_end"  # once its run is over
    RETENTION = "retention"  # when the plan's retention says so
    DROPPED = "dropped"  # when an operator removes it


class Artifact(FrozenModel):
    """One row. ``run`` is the run that brought it to its present state; ``id`` begins with the run that made it.

    ``ref`` is how its adapter finds it, ``replaces`` the row whose place it takes or took.
    """

    id: str
    run: str
    store: str
    kind: ArtifactKind
    ref: str
    state: ArtifactState
    replaces: str | None = None
    needed_until: NeededUntil = NeededUntil.RETENTION

    @property
    def made_by(self) -> str:
        """Return the run that made it."""
        return self.id.partition("/")[0]

    def whole(self) -> Artifact:
        """Return this row for an artifact that is proven to be complete."""
        return self.model_copy(update={"state": ArtifactState.WHOLE})

    def gone(self) -> Artifact:
        """Return this row for an artifact that is not there any more."""
        return self.model_copy(update={"state": ArtifactState.GONE})

    def live(self, run: str, ref: str, replaces: str) -> Artifact:
        """Return this row for data that a run has made the live ones under the name ``ref`` of ``replaces``."""
        return self.model_copy(update={"state": ArtifactState.LIVE, "run": run, "ref": ref, "replaces": replaces})

    def aside(self, run: str, ref: str) -> Artifact:
        """Return this row for data that a run has set aside under the name ``ref``."""
        return self.model_copy(update={"state": ArtifactState.ASIDE, "run": run, "ref": ref})

    def keep_for_operator(self) -> Artifact:
        """Return this row for an artifact that only an operator may remove."""
        return self.model_copy(update={"needed_until": NeededUntil.DROPPED})


_MADE_ANEW = (ArtifactState.INTENDED, ArtifactState.WHOLE)


@dataclass(frozen=True)
class Ledger:
    """All rows by id, those of the earliest artifact first. A value: `joined` returns another one."""

    rows: Mapping[str, Artifact] = field(default_factory=dict)

    def joined(self, changed: Iterable[object]) -> Ledger:
        """Return this ledger with the rows among ``changed`` in place of earlier ones; a row that is gone stays so."""
        rows = dict(self.rows)
        for one in changed:
            if isinstance(one, Artifact) and not is_gone(rows.get(one.id)):
                rows[one.id] = one
        return Ledger(rows)

    def get(self, artifact_id: str) -> Artifact | None:
        """Return the row with this id, unless the artifact is gone."""
        found = self.rows.get(artifact_id)
        return None if is_gone(found) else found

    def find(
        self,
        *kinds: ArtifactKind,
        run: str | None = None,
        store: str | None = None,
        states: Collection[ArtifactState] = (),
    ) -> tuple[Artifact, ...]:
        """Select rows of artifacts that are not gone, by kind, run, store and state where given."""
        return tuple(
            row
            for row in self.rows.values()
            if not is_gone(row)
            and (not kinds or row.kind in kinds)
            and run in (None, row.run)
            and store in (None, row.store)
            and (not states or row.state in states)
        )

    def intend(
        self,
        run: str,
        kind: ArtifactKind,
        ref: str,
        *,
        store: str = "",
        replaces: str | None = None,
        needed_until: NeededUntil = NeededUntil.RETENTION,
    ) -> Artifact:
        """Build the row to write before an artifact is made; a repeated attempt gets the row that has this ``ref``."""
        for row in self.find(kind, run=run, store=store, states=_MADE_ANEW):
            if row.ref == ref:
                return row.model_copy(update={"state": ArtifactState.INTENDED})
        same = build_id(run, kind, store)
        number = sum(row.id == same or row.id.startswith(f"{same}/") for row in self.rows.values()) + 1
        return Artifact(
            id=same if number == 1 else f"{same}/{number}",
            run=run,
            store=store,
            kind=kind,
            ref=ref,
            state=ArtifactState.INTENDED,
            replaces=replaces,
            needed_until=needed_until,
        )

    def find_intended(self, run: str, kind: ArtifactKind, store: str) -> Artifact | None:
        """Return the newest row of this kind that the run has intended for a store and not made yet."""
        return next(reversed(self.find(kind, run=run, store=store, states=(ArtifactState.INTENDED,))), None)

    def find_live(self, store: str) -> Artifact | None:
        """Return the row of the live data of a store; None where they are no artifact of ours."""
        return next(reversed(self.find(store=store, states=(ArtifactState.LIVE,))), None)

    def exchange(self, run: str, incoming: Artifact, outgoing: Artifact, live: str) -> tuple[Artifact, ...]:
        """Build the rows after ``incoming`` has taken the place of the data named ``live``, now at ``outgoing``.

        Data that have a row of their own keep it, so that it says where they are; `outgoing` is gone then.
        """
        before = self.find_live(incoming.store)
        if before is None or before.id == incoming.id:
            return (incoming.live(run, live, outgoing.id), outgoing.aside(run, outgoing.ref))
        return (before.aside(run, outgoing.ref), outgoing.gone(), incoming.live(run, live, before.id))


def is_gone(row: Artifact | None) -> bool:
    """Tell whether there is a row, and its artifact is gone."""
    return row is not None and row.state is ArtifactState.GONE


def build_id(run: str, kind: ArtifactKind, store: str) -> str:
    """Build the id of the row of a run's first artifact of this kind in a store."""
    return f"{run}/{kind}" if store in ("", DATABASE) else f"{run}/{store}/{kind}"
