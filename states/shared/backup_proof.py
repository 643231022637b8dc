"""How copies of a database are made and proven; used by every kind that makes or brings back one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import BackupError, DatabaseError, StateError
from orchestrator.core.facts import BackupManifest
from orchestrator.core.model.database import DatabaseFacts, DatabaseProperties, Inventory, PgSequence
from orchestrator.core.model.progress import Progress
from orchestrator.core.ports.database import Database
from orchestrator.core.ports.progress import Report
from orchestrator.core.state_kind import StateContext

_REPORT_EVERY_BYTES = 8 * 1024**2


def choose_backup(ctx: StateContext[Any], *, version: str, label: str = "") -> Path:
    """Where a backup that is begun now goes.

    ``label`` is a part of the file's name that tells this backup from the usual ones.
    """
    name = f"{ctx.ports.clock.now():%Y-%m-%d_%H%M%S}_v{version.removeprefix('v')}{label}.sql.gz"
    return ctx.ports.backups.inspect_folder().path / name


def dump_and_prove(ctx: StateContext[Any], *, name: str, version: str) -> BackupManifest:
    """Dump the live database into the file ``name`` of the backup folder and read it back in full.

    Raises:
        BackupError, DatabaseError: there is no backup; what is left of the file is not counted as one.
    """
    database, store, clock = ctx.database(), ctx.ports.backups, ctx.ports.clock
    facts = database.inspect()
    properties, inventory = database.properties(facts.name), database.inventory(facts.name, deadline=ctx.deadline)
    began, taken_at = clock.monotonic(), clock.now()
    path, sha256, dump_bytes = store.write(
        name, lambda write: database.dump(write, deadline=ctx.deadline), report=_estimating(ctx, facts)
    )
    try:
        proof = store.prove(path, report=ctx.report, deadline=ctx.deadline)
    except BackupError:
        raise
    except StateError:
        store.remove(path)  # nobody has read it to its end, and another attempt takes its name
        raise
    if (proof.sha256, proof.dump_bytes) != (sha256, dump_bytes):
        raise BackupError(
            "backup.damaged",
            f"The backup {path} does not read back as it was written.",
            hint="Check the disk it is on; the file is kept for a look and is not counted as a backup.",
        )
    return BackupManifest(
        path=path,
        sha256=sha256,
        size_bytes=proof.size_bytes,
        dump_bytes=dump_bytes,
        rows=dict(proof.rows),
        version=version,
        database=facts.name,
        server_version=facts.server_version,
        system_identifier=facts.system_identifier,
        properties=properties,
        inventory=inventory,
        taken_at=taken_at,
        duration_s=round(timedelta(seconds=clock.monotonic() - began).total_seconds(), 3),
    )


# How much a dump will be is known when it is over; until then by the last one, or by what the database takes.
def _estimating(ctx: StateContext[Any], facts: DatabaseFacts) -> Report:
    earlier = (r.dump_bytes for r in ctx.history.receipts() if r.database == facts.name)
    expected = next(earlier, facts.size_bytes)

    def report(progress: Progress) -> None:
        guess = progress.total is None and progress.done <= expected
        ctx.report(progress.model_copy(update={"total": expected, "estimated": True}) if guess else progress)

    return report


def restore_beside(ctx: StateContext[Any], receipt: BackupManifest, name: str, *, proven: bool = True) -> None:
    """Restore a proven backup as database ``name`` and compare it with its receipt.

    A half-restored database of that name is dropped first, for the name carries this run.
    ``proven``: as in `Database.restore`.

    Raises:
        BackupError: the file cannot be read in full.
        DatabaseError: it is another file than the one that was proven, or holds something else.
    """
    database = ctx.database()
    prove_again(ctx, receipt)
    chunks = ctx.ports.backups.read(receipt.path, sha256=receipt.sha256)
    load_backup(ctx, receipt, database, name, chunks, proven=proven)
    different = find_other_contents(database, receipt, name, ctx.deadline)
    if different:
        raise DatabaseError(
            "restore.rows_differ",
            f"The restored database does not hold what the backup's receipt says: {', '.join(different[:5])}.",
            impact=f"It was left beside the live one as {name}; the live one was left as it is.",
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
    database: Database,
    name: str,
    chunks: Iterable[bytes],
    *,
    proven: bool = True,
) -> None:
    """Restore the dump in ``chunks`` as ``name`` on a server, in place of a database of that name."""
    if name in database.sizes():
        database.terminate_sessions(name)
        database.drop(name)
    told = _telling(ctx, "Restoring the backup", chunks, receipt.dump_bytes)
    database.restore(told, name, like=receipt.properties, deadline=ctx.deadline, proven=proven)


def _telling(ctx: StateContext[Any], label: str, chunks: Iterable[bytes], total: int) -> Iterator[bytes]:
    done = shown = 0
    ctx.report(Progress(label=label, done=0, total=total))
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        if done - shown >= _REPORT_EVERY_BYTES or done == total:
            ctx.report(Progress(label=label, done=done, total=total))
            shown = done


def find_other_contents(database: Database, receipt: BackupManifest, name: str, deadline: Deadline) -> tuple[str, ...]:
    """Tables and properties in which a restored database is not what the receipt of its backup says."""
    rows = find_other_rows(receipt.rows, database.rows(name, deadline=deadline))
    return (*rows, *find_other_properties(receipt.properties, database.properties(name)))


def find_other_inventory(expected: Inventory, found: Inventory) -> tuple[str, ...]:
    """What else is not the same; ``expected`` is older, so a sequence may have gone on since."""
    names = sorted({*expected.relations, *found.relations})
    different = [f"relation {name}" for name in names if expected.relations.get(name) != found.relations.get(name)]
    names = sorted({*expected.extensions, *found.extensions})
    different += [f"extension {name}" for name in names if expected.extensions.get(name) != found.extensions.get(name)]
    names = sorted({*expected.sequences, *found.sequences})
    different += [
        f"sequence {name}" for name in names if _is_behind(expected.sequences.get(name), found.sequences.get(name))
    ]
    if expected.large_objects != found.large_objects:
        different.append(f"large objects ({found.large_objects} instead of {expected.large_objects})")
    return tuple(different)


def find_other_rows(expected: dict[str, int], found: dict[str, int]) -> tuple[str, ...]:
    """Tables whose numbers of rows are not the same, each with both numbers."""
    tables = sorted({*expected, *found})
    return tuple(
        f"{table} ({_number(found, table)} rows instead of {_number(expected, table)})"
        for table in tables
        if expected.get(table) != found.get(table)
    )


def find_other_properties(expected: DatabaseProperties, found: DatabaseProperties) -> tuple[str, ...]:
    """Properties that are not the same; the order of grants and settings means nothing."""
    one, other = _comparable(expected), _comparable(found)
    return tuple(name for name in one if one[name] != other[name])


def _is_behind(earlier: PgSequence | None, later: PgSequence | None) -> bool:
    if earlier is None or later is None or earlier.owner != later.owner:
        return True
    if earlier.last_value is None or later.cycles:
        return False
    forward = 1 if later.increment > 0 else -1
    return later.last_value is None or (later.last_value - earlier.last_value) * forward < 0


def _number(rows: dict[str, int], table: str) -> int | str:
    return rows.get(table, "no")


def _comparable(properties: DatabaseProperties) -> dict[str, object]:
    values: dict[str, object] = properties.model_dump(exclude={"grants", "settings", "version"})
    values["grants"] = None if properties.grants is None else frozenset(map(str, properties.grants))
    values["settings"] = frozenset(map(str, properties.settings))
    return values
