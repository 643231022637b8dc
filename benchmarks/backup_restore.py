"""Backup and restore: the orchestrator's own beside what PostgreSQL's tools do by themselves."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.figures import median, ratio
from benchmarks.ground import Ground, Stand
from benchmarks.process import Ended, run_measured
from benchmarks.progress import say
from benchmarks.report import Part, Table, show_ratio, show_s
from tests.engine.installation import CHECKOUT, Document

OF_DUMP, OF_GZIP, PEAK_MB = 1.25, 2.0, 150

NOWHERE, GZIP, CUSTOM, FOLDER = "pg_dump > /dev/null", "pg_dump | gzip", "pg_dump -Fc", "pg_dump -Fd -j2"
DUMPED, PROVEN = "orchestrator, dump", "orchestrator, dump and proof"
STATE = "orchestrator, all of the state"
PSQL, PG_RESTORE, RESTORED = "psql < file", "pg_restore -j2", "orchestrator, restore"

_TIMEOUT_S = 3600
_PLACE = "/tmp/bench"
_NEW = "bench_restored"
_DUMPS = {
    NOWHERE: "pg_dump -U ledger ledger >/dev/null",
    GZIP: f"pg_dump -U ledger ledger | gzip >{_PLACE}/dump.sql.gz",
    CUSTOM: f"pg_dump -U ledger -Fc -f {_PLACE}/dump.custom ledger",
    FOLDER: f"pg_dump -U ledger -Fd -j2 -f {_PLACE}/dump.folder ledger",
}
_RESTORES = {
    PSQL: f"psql -q -v ON_ERROR_STOP=1 -o /dev/null -U ledger -d {_NEW} <{_PLACE}/dump.sql",
    PG_RESTORE: f"pg_restore -j2 -U ledger -d {_NEW} {_PLACE}/dump.folder",
}


@dataclass(frozen=True)
class Round:
    """Seconds of each way, and the most memory that the orchestrator had, in bytes."""

    seconds: dict[str, float]
    peak_bytes: int


def measure_backup(ground: Ground, sizes: Sequence[int], rounds: int) -> Part:
    """Measure all ways at all sizes, in rounds that go through all of them."""
    results: dict[int, list[Round]] = {}
    data_bytes: dict[int, int] = {}
    for size in sizes:
        with ground.stand(size) as stand:
            data_bytes[size] = stand.read_size()
            results[size] = []
            for number in range(1, rounds + 1):
                results[size].append(_measure_round(stand))
                told = ", ".join(f"{way} {seconds:.2f} s" for way, seconds in results[size][-1].seconds.items())
                say(f"backup: {size} MB, round {number}: {told}")
    return build_part(results, data_bytes)


def build_part(results: dict[int, list[Round]], data_bytes: dict[int, int]) -> Part:
    """Build the tables, and every round as JSON."""
    said: list[str | Table] = [
        "Seconds, medians; PostgreSQL's own tools run inside the database's container and write there. The proof of the"
        " orchestrator reads the file in full, hashes it and counts its rows; its state also asks the database what"
        " there is."
        f" Bounds: a backup takes at most {OF_DUMP} of `{NOWHERE}` and is {OF_GZIP:g} times as quick as `{GZIP}`; the"
        f" orchestrator has less than {PEAK_MB} MB of memory at any size. ✗ marks what does not keep its bound.",
    ]
    rows: list[tuple[str, ...]] = []
    back: list[tuple[str, ...]] = []
    peaks: list[tuple[str, ...]] = []
    for size, taken in results.items():
        rows += [_tell_dump(taken, size, way, data_bytes[size]) for way in (*_DUMPS, DUMPED, PROVEN, STATE)]
        back += [_tell_restore(taken, size, way) for way in (*_RESTORES, RESTORED)]
        peak = max(one.peak_bytes for one in taken) / 1e6
        peaks.append((f"{size} MB", show_ratio(peak, at_most=PEAK_MB)))
    said += [
        Table(("backup", "s", "MB/s", f"to {NOWHERE}", f"{GZIP} to it"), tuple(rows)),
        Table(("restore", "s", f"to {PSQL}"), tuple(back)),
        Table(("database", "the orchestrator's memory at most, MB"), tuple(peaks)),
    ]
    measured = [
        {"size_mb": size, "database_bytes": data_bytes[size], "rounds": [vars(one) for one in taken]}
        for size, taken in results.items()
    ]
    return Part("backup", said, measured)


def _tell_dump(taken: Sequence[Round], size: int, way: str, data_bytes: int) -> tuple[str, ...]:
    seconds, nowhere, gzip = ([one.seconds[name] for one in taken] for name in (way, NOWHERE, GZIP))
    ours = way in (DUMPED, PROVEN)
    return (
        f"{size} MB: {way}",
        show_s(median(seconds)),
        f"{data_bytes / 1e6 / median(seconds):.0f}",
        show_ratio(ratio(seconds, nowhere), at_most=OF_DUMP if ours else None),
        show_ratio(ratio(gzip, seconds), at_least=OF_GZIP if ours else None),
    )


def _tell_restore(taken: Sequence[Round], size: int, way: str) -> tuple[str, ...]:
    seconds, psql = ([one.seconds[name] for one in taken] for name in (way, PSQL))
    return f"{size} MB: {way}", show_s(median(seconds)), show_ratio(ratio(seconds, psql))


def _measure_round(stand: Stand) -> Round:
    seconds: dict[str, float] = {}
    _inside(stand, f"mkdir {_PLACE}")
    try:
        for way, line in _DUMPS.items():
            seconds[way] = _inside(stand, line).seconds
        backup = _own(stand, "backup")
        found = json.loads(backup.stdout)
        seconds |= {DUMPED: found["dump_s"], PROVEN: found["proof_s"], STATE: found["state_s"]}
        _inside(stand, f"gunzip {_PLACE}/dump.sql.gz")
        for way, line in _RESTORES.items():
            _inside(stand, f"createdb -U ledger {_NEW}")
            seconds[way] = _inside(stand, line).seconds
            _inside(stand, f"dropdb -U ledger {_NEW}")
        restore = _own(stand, "restore", found["file"], _NEW)
        seconds[RESTORED] = json.loads(restore.stdout)["restored_s"]
        _inside(stand, f"dropdb -U ledger {_NEW}")
    finally:
        _inside(stand, f"rm -rf {_PLACE}")
    return Round(seconds, max(backup.peak_bytes, restore.peak_bytes))


def _inside(stand: Stand, line: str) -> Ended:
    name = str(stand.host.container("db").name)
    return run_measured(["docker", "exec", name, "bash", "-o", "pipefail", "-c", line], timeout_s=_TIMEOUT_S)


def _own(stand: Stand, command: str, *arguments: str) -> Ended:
    plan = stand.save_plan(_refuse_after_backup(stand.build_plan()))
    argv = [sys.executable, "-m", "benchmarks.own", command, str(plan), *arguments]
    return run_measured(argv, timeout_s=_TIMEOUT_S, environment={"PYTHONPATH": str(CHECKOUT)})


# The upgrade that the backup is of is refused by a step of its own before anything is stopped.
def _refuse_after_backup(plan: Document) -> Document:
    states = plan["states"]
    assert isinstance(states, dict)
    states["enough"] = {
        "kind": "command",
        "with": {"run": ["/bin/false"], "changes": "nothing"},
        "then": {"done": states["backup"]["then"]["done"], "failed": "refused"},
    }
    states["backup"]["then"]["done"] = "enough"
    return plan
