"""Measure a backup and a restore beside PostgreSQL's own tools. `python -m benchmarks.backup [--mb 500]`."""

from __future__ import annotations

import argparse
import resource
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import docker

from deploy.demo.images import ensure_base_images
from orchestrator.adapters.backups.archive import BackupFolder
from orchestrator.adapters.docker.container_exec import ContainerExec
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.adapters.postgres.server import Postgres
from orchestrator.core.deadline import Deadline
from orchestrator.core.model.progress import Progress

MEGABYTES = 500
ROUNDS = 5
ALLOWED_S = 1800.0

#: About 230 bytes a row in a plain dump: random text, words that repeat, numbers, times, JSON.
_ROW_BYTES = 230
_FILL = """CREATE TABLE events AS SELECT n, now() - n * interval '1 s' AS at, 'user' || n % 5000 AS who,
  md5(n::text) || ' ' || md5((n * 7)::text) || ' some words that are in every row ' || n % 100 AS body,
  n % 100000 / 7.0 AS amount, jsonb_build_object('a', n % 10, 'b', md5((n % 50)::text)) AS flags
FROM generate_series(1, {rows}) n; ALTER TABLE events ADD PRIMARY KEY (n); VACUUM ANALYZE;"""
_PG_DUMP = "pg_dump -U postgres postgres"


class Bench:
    """A server with a table of so many megabytes, a backup folder, and the measured costs."""

    def __init__(self, executor: ContainerExec, folder: Path) -> None:
        self._executor = executor
        self._database = Postgres(executor, "postgres", "postgres")
        self._store = BackupFolder(folder)
        self._path, self._sha256 = folder, ""

    def fill(self, megabytes: int) -> None:
        """Put the table in, and the dump that `psql` is to load."""
        self._database.drop("restored")
        statement = _FILL.format(rows=megabytes * 1_000_000 // _ROW_BYTES)
        for each in statement.split(";")[:-1]:
            self._shell(f'psql -qX -U postgres postgres -c "{each}"')
        self._shell(f"{_PG_DUMP} > /tmp/dump.sql")

    def build_steps(self) -> dict[str, Callable[[], object]]:
        """Build the measured steps, in order."""
        return {
            "pg_dump > /dev/null": lambda: self._shell(f"{_PG_DUMP} > /dev/null"),
            "pg_dump | gzip": lambda: self._shell(f"{_PG_DUMP} | gzip > /tmp/dump.gz && rm /tmp/dump.gz"),
            "dump": self._write,  # compressed and on the disk
            "prove": lambda: self._store.prove(self._path, report=_ignore, deadline=_allow()),
            "restore": self._restore,
            "drop": lambda: self._database.drop("restored"),
            "psql < file": lambda: self._shell("createdb -U postgres r && psql -qX1 -U postgres r < /tmp/dump.sql"),
            "dropdb": lambda: self._shell("dropdb -U postgres r"),
            "dump through the engine": self._write_through_the_engine,
        }

    def _write(self) -> None:
        if self._sha256:
            self._store.remove(self._path)
        self._path, self._sha256, _ = self._store.write(
            "b.sql.gz", lambda write: self._database.dump(write, deadline=_allow()), report=_ignore
        )

    def _write_through_the_engine(self) -> None:
        vars(self._executor)["piped"] = nullcontext
        try:
            self._write()
        finally:
            del vars(self._executor)["piped"]

    def _restore(self) -> None:
        chunks = self._store.read(self._path, sha256=self._sha256)
        like = self._database.properties("postgres")
        self._database.restore(chunks, "restored", like=like, deadline=_allow())

    def _shell(self, command: str) -> None:
        outcome = self._executor.run(["sh", "-c", command], deadline=_allow())
        if outcome.exit_code != 0:
            raise RuntimeError(outcome.errors)


@contextmanager
def serving() -> Iterator[ContainerExec]:
    """Run a PostgreSQL server in a container of its own, removed afterwards."""
    image, project, client = ensure_base_images().postgres, f"bench-backup-{secrets.token_hex(4)}", docker.from_env()
    labels = {"project": project, "service": "db", "oneoff": "False"}
    container = client.containers.run(
        image,
        detach=True,
        name=project,
        environment={"POSTGRES_PASSWORD": "p"},
        labels={f"com.docker.compose.{key}": value for key, value in labels.items()},
        shm_size="256m",
    )
    try:
        executor = ContainerExec(lambda: client, lambda: project, "db")
        ready = ["pg_isready", "-q", "-h", "127.0.0.1"]
        _allow().poll(lambda: executor.run(ready, deadline=_allow()).exit_code == 0 or None, every_s=0.2)
        yield executor
    finally:
        container.remove(force=True, v=True)
        client.close()


def measure(megabytes: int, rounds: int) -> dict[str, list[float]]:
    """Seconds that each step took, a list of all rounds."""
    taken: dict[str, list[float]] = {}
    with serving() as executor, tempfile.TemporaryDirectory() as folder:
        bench = Bench(executor, Path(folder) / "backups")
        bench.fill(megabytes)
        for _ in range(rounds):
            for name, step in bench.build_steps().items():
                began = time.monotonic()
                step()
                taken.setdefault(name, []).append(time.monotonic() - began)
    return taken


def main(arguments: Sequence[str]) -> None:
    """Print a table: median seconds, and median ratio."""
    parser = argparse.ArgumentParser(prog="benchmarks.backup")
    parser.add_argument("--mb", type=int, default=MEGABYTES, help="size of the plain dump")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    taken = measure(options.mb, options.rounds)
    taken["dump and prove"] = [sum(both) for both in zip(taken["dump"], taken["prove"], strict=True)]
    for name, seconds in taken.items():
        against = "psql < file" if name in {"restore", "psql < file"} else "pg_dump > /dev/null"
        ratio = statistics.median(one / other for one, other in zip(seconds, taken[against], strict=True))
        print(f"{name:>24} {statistics.median(seconds):>7.2f} s {ratio:>6.2f} × {against}")
    print(f"{'peak memory':>24} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:>7} MB")


def _allow() -> Deadline:
    return Deadline(SystemClock(), ALLOWED_S, what="The measurement")


def _ignore(progress: Progress) -> None:
    del progress


if __name__ == "__main__":
    main(sys.argv[1:])
