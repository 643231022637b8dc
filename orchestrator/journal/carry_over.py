"""The ledger of runs that were journaled without one (formats 1 and 2), read from their facts. Pure.

Those runs told names: what was intended, made, swapped and removed. A name that was swapped in belongs to other data
from then on, so the runs are read in the order in which they began.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestrator.core.ledger import DATABASE, Artifact, ArtifactKind, ArtifactState, Ledger, NeededUntil

Values = Mapping[str, Any]

_BESIDE = (ArtifactState.INTENDED, ArtifactState.WHOLE, ArtifactState.ASIDE)
_DATA = (ArtifactKind.SNAPSHOT, ArtifactKind.RESTORED, ArtifactKind.QUARANTINE)


def derive_ledger(runs: Iterable[tuple[str, str | None, Values]]) -> dict[str, tuple[Artifact, ...]]:
    """The rows of each run, from its id, its verdict and its facts; the run that began first comes first."""
    ledger, removed = Ledger(), list[Values]()
    for run, verdict, facts in runs:
        ledger = ledger.joined(_read_files(run, verdict, facts))
        ledger = ledger.joined(_read_databases(run, verdict, facts, ledger))
        removed.append(facts.get("retention") or {})
    ledger = ledger.joined(row.gone() for row in ledger.find() if _is_removed(row, removed))
    return {
        run: tuple(row for row in ledger.rows.values() if row.run == run)
        for run in dict.fromkeys(row.run for row in ledger.rows.values())
    }


def derive_other_data(run: str, facts: Values, rows: Iterable[Artifact]) -> dict[str, Any] | None:
    """The fact that took the place of the ``replacement`` of a run that exchanges data; None where it has none."""
    before = facts.get("replacement")
    if before is None:
        return None
    artifact = next((row.id for row in rows if row.ref == before["database"]), f"{run}/{ArtifactKind.RESTORED}")
    return {**{name: value for name, value in before.items() if name != "database"}, "artifact": artifact}


def _read_files(run: str, verdict: str | None, facts: Values) -> Iterator[Artifact]:
    """Backups, the kept image and the frozen project."""
    intent, image, snapshot = facts.get("intent") or {}, facts.get("image"), facts.get("snapshot") or {}
    proven = [found["path"] for found in (facts.get("backup"), snapshot.get("backup")) if found]
    for number, path in enumerate(proven, 1):
        yield _build(run, ArtifactKind.BACKUP, path, ArtifactState.WHOLE, number)
    if verdict is None and not snapshot and (path := intent.get("backup")) and path not in proven:
        yield _build(run, ArtifactKind.BACKUP, path, ArtifactState.INTENDED, len(proven) + 1)
    if kept := image["kept_as"] if image else intent.get("kept_image"):
        yield _build(run, ArtifactKind.IMAGE, kept, ArtifactState.WHOLE if image else ArtifactState.INTENDED)
    if facts.get("project"):
        yield _build(run, ArtifactKind.PROJECT, run, ArtifactState.WHOLE)


def _read_databases(run: str, verdict: str | None, facts: Values, ledger: Ledger) -> Iterator[Artifact]:
    """Copies beside the live database, and what has taken its place."""
    snapshot, quarantine = facts.get("snapshot") or {}, facts.get("quarantine")
    replacement = facts.get("replacement")
    own = tuple(_read_exchange(run, verdict, facts, ledger) if replacement else _read_snapshot(run, facts))
    yield from own
    if quarantine is not None:
        live = str(snapshot.get("source") or (facts.get("fence") or {}).get("database", ""))
        yield from _read_swaps(run, quarantine, replacement, live, ledger.joined(own))


def _read_snapshot(run: str, facts: Values) -> Iterator[Artifact]:
    snapshot, intent, way = facts.get("snapshot"), facts.get("intent") or {}, facts.get("way_back") or {}
    if snapshot is None and intent.get("snapshot"):
        yield _build(run, ArtifactKind.SNAPSHOT, intent["snapshot"], ArtifactState.INTENDED)
    if snapshot is None or not snapshot["database"]:
        return
    row = _build(run, ArtifactKind.SNAPSHOT, snapshot["database"], ArtifactState.WHOLE)
    yield row.keep_for_operator() if way.get("decision") == "keep_data" else row


def _read_exchange(run: str, verdict: str | None, facts: Values, ledger: Ledger) -> tuple[Artifact, ...]:
    """What a run that exchanges data has restored beside, and under which name it sets aside what was live."""
    name, snapshot, quarantine = facts["replacement"]["database"], facts.get("snapshot") or {}, facts.get("quarantine")
    rows = []
    if not any(row.ref == name for row in ledger.find(*_DATA)):
        restored = _build(run, ArtifactKind.RESTORED, name, ArtifactState.WHOLE, until=NeededUntil.RUN_END)
        dropped = quarantine is None and verdict not in (None, "needs_operator")
        rows.append(restored.gone() if dropped else restored)
    if snapshot.get("database"):
        rows.append(_build(run, ArtifactKind.QUARANTINE, snapshot["database"], ArtifactState.INTENDED))
    return tuple(rows)


def _read_swaps(
    run: str, quarantine: Values, replacement: Values | None, live: str, ledger: Ledger
) -> tuple[Artifact, ...]:
    """The rows after the swaps of a run; one that was swapped in on request may have been taken back."""
    aside, source, before = quarantine["database"], quarantine["restored_from"], ledger
    if replacement is not None and source != replacement["database"]:
        ledger = ledger.joined(_swap(run, replacement["database"], source, live, ledger))
    ledger = ledger.joined(_swap(run, source, aside, live, ledger))
    return tuple(row for row in ledger.rows.values() if before.rows.get(row.id) != row)


def _swap(run: str, source: str, aside: str, live: str, ledger: Ledger) -> tuple[Artifact, ...]:
    incoming = next((row for row in ledger.find(*_DATA, states=_BESIDE) if row.ref == source), None)
    if incoming is None:  # a backup that was restored beside, and swapped in at once
        incoming = _build(run, ArtifactKind.RESTORED, source, ArtifactState.WHOLE)
    outgoing = ledger.intend(run, ArtifactKind.QUARANTINE, aside, store=DATABASE)
    return ledger.exchange(run, incoming, outgoing, live)


def _is_removed(row: Artifact, removed: Iterable[Values]) -> bool:
    lists = {ArtifactKind.BACKUP: "backups", ArtifactKind.IMAGE: "images", ArtifactKind.PROJECT: "projects"}
    key = lists.get(row.kind, "databases")
    return row.state is not ArtifactState.LIVE and any(row.ref in one.get(key, ()) for one in removed)


def _build(
    run: str,
    kind: ArtifactKind,
    ref: str,
    state: ArtifactState,
    number: int = 1,
    *,
    until: NeededUntil = NeededUntil.RETENTION,
) -> Artifact:
    store = "" if kind in (ArtifactKind.IMAGE, ArtifactKind.PROJECT) else DATABASE
    row = Ledger().intend(run, kind, ref, store=store, needed_until=until)
    numbered = row if number == 1 else row.model_copy(update={"id": f"{row.id}/{number}"})
    return numbered.model_copy(update={"state": state})
