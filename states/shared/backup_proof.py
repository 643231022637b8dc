"""How backups of a store are made and proven; used by every kind that makes or brings back one."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from orchestrator.core.errors import BackupError, DatabaseError, StateError
from orchestrator.core.model.progress import Progress
from orchestrator.core.model.stores import StoreFacts
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.ports.progress import Report
from orchestrator.core.state_kind import StateContext
from orchestrator.core.store_facts import BackupManifest

_REPORT_EVERY_BYTES = 8 * 1024**2


def choose_backup(ctx: StateContext[Any], store: DataStore, *, version: str, label: str = "") -> Path:
    """Where a backup that is begun now goes.

    ``label`` is a part of the file's name that tells this backup from the usual ones.
    """
    name = f"{ctx.ports.clock.now():%Y-%m-%d_%H%M%S}_v{version.removeprefix('v')}{label}{store.file_suffix}"
    return ctx.ports.backups.inspect_folder().path / name


def dump_and_prove(ctx: StateContext[Any], store: DataStore, *, name: str, version: str) -> BackupManifest:
    """Dump the live data into the file ``name`` of the backup folder and read it back in full.

    Raises:
        BackupError, DatabaseError: there is no backup; what is left of the file is not counted as one.
    """
    folder, clock = ctx.ports.backups, ctx.ports.clock
    facts = store.inspect()
    known = store.fingerprint(facts.name, deadline=ctx.deadline)
    began, taken_at = clock.monotonic(), clock.now()
    path, sha256, dump_bytes = folder.write(
        name, lambda write: store.dump(write, deadline=ctx.deadline), report=_estimating(ctx, store, facts)
    )
    try:
        proof = folder.prove(path, report=ctx.report, deadline=ctx.deadline)
    except BackupError:
        raise
    except StateError:
        folder.remove(path)  # nobody has read it to its end, and another attempt takes its name
        raise
    if (proof.sha256, proof.dump_bytes) != (sha256, dump_bytes):
        raise BackupError(
            "backup.damaged",
            f"The backup {path} does not read back as it was written.",
            hint="Check the disk it is on; the file is kept for a look and is not counted as a backup.",
        )
    return BackupManifest(
        store=store.name,
        path=path,
        sha256=sha256,
        size_bytes=proof.size_bytes,
        dump_bytes=dump_bytes,
        rows=dict(proof.rows),
        version=version,
        database=facts.name,
        server_version=facts.server_version,
        system_identifier=facts.system_identifier,
        properties=known.properties or {},
        inventory=known.inventory or {},
        taken_at=taken_at,
        duration_s=round(timedelta(seconds=clock.monotonic() - began).total_seconds(), 3),
    )


# How much a dump will be is known when it is over; until then by the last one, or by what the database takes.
def _estimating(ctx: StateContext[Any], store: DataStore, facts: StoreFacts) -> Report:
    receipts = ctx.history.receipts()
    earlier = (r.dump_bytes for r in receipts if (r.store, r.database) == (store.name, facts.name))
    expected = next(earlier, facts.size_bytes)

    def report(progress: Progress) -> None:
        guess = progress.total is None and progress.done <= expected
        ctx.report(progress.model_copy(update={"total": expected, "estimated": True}) if guess else progress)

    return report


def restore_beside(ctx: StateContext[Any], receipt: BackupManifest, ref: str, *, proven: bool = True) -> None:
    """Restore a proven backup as data ``ref`` of its store and compare them with its receipt.

    Half-restored data of that ref are removed first, for it carries this run. ``proven`` as in `DataStore`.

    Raises:
        BackupError: the file cannot be read in full.
        DatabaseError: it is another file than the one that was proven, or holds something else.
    """
    store = ctx.store(receipt.store)
    prove_again(ctx, receipt)
    chunks = ctx.ports.backups.read(receipt.path, sha256=receipt.sha256)
    load_backup(ctx, receipt, store, ref, chunks, proven=proven)
    contents = receipt.fingerprint.model_copy(update={"inventory": None})
    different = store.find_differences(ref, contents, deadline=ctx.deadline)
    if different:
        raise DatabaseError(
            "restore.rows_differ",
            f"The restored database does not hold what the backup's receipt says: {', '.join(different[:5])}.",
            impact=f"It was left beside the live one as {ref}; the live one was left as it is.",
            hint="Compare both by hand before choosing one.",
        )


def prove_again(ctx: StateContext[Any], receipt: BackupManifest) -> None:
    """Read the file of a backup in full and see that it is the one that was proven.

    Raises:
        BackupError: the file cannot be read in full.
        DatabaseError: ``restore.backup_changed``.
    """
    proof = ctx.ports.backups.prove(receipt.path, report=ctx.report, deadline=ctx.deadline)
    if proof.sha256 != receipt.sha256:
        raise DatabaseError(
            "restore.backup_changed",
            f"The backup {receipt.path} is not the file that was proven.",
            impact="The live database was left as it is.",
            hint="Find the proven file by its SHA-256 in `orchestrator show`, or choose another backup by hand.",
        )


def load_backup(
    ctx: StateContext[Any],
    receipt: BackupManifest,
    store: DataStore,
    ref: str,
    chunks: Iterable[bytes],
    *,
    proven: bool = True,
) -> None:
    """Restore the dump in ``chunks`` as data ``ref`` of a store, in place of data that have this ref."""
    if ref in store.sizes():
        store.evict(ref)
        store.discard(ref)
    told = _telling(ctx, "Restoring the backup", chunks, receipt.dump_bytes)
    store.load_beside(told, ref, like=receipt.fingerprint, deadline=ctx.deadline, proven=proven)


def _telling(ctx: StateContext[Any], label: str, chunks: Iterable[bytes], total: int) -> Iterator[bytes]:
    done = shown = 0
    ctx.report(Progress(label=label, done=0, total=total))
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        if done - shown >= _REPORT_EVERY_BYTES or done == total:
            ctx.report(Progress(label=label, done=done, total=total))
            shown = done
