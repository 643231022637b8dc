"""The ground of all measurements: releases behind a registry that is far away, and hosts with any amount of data."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import docker
import yaml

from benchmarks.throttle import MEGABYTE, SlowDoor
from deploy.demo.bed import LABEL, Bed, LedgerHost, ReleaseFeed, build_ledger
from tests.engine.installation import Document, build_ledger_plan

OLD, GOOD, BAD_MIGRATION, NEVER_GOOD = "1.0.0", "1.1.0", "1.2.0", "1.3.0"
LINE_BYTES_PER_S = 50 * MEGABYTE
LAYER_BYTES = 100 * MEGABYTE
STEADY_S = 3.0
HEALTH_S = 5.0
"""How long the plans of the benchmark wait by intention: for steady health, and for a version that is never good."""

_TABLES = 4
_ROW_BYTES = 251  # on disk with its share of the index, as measured

# Text that compresses to about a third, as what people write does.
_FILL = """\
CREATE TABLE bulk_{number} (
    id bigint PRIMARY KEY, noted_at timestamptz NOT NULL, kind text NOT NULL, body text NOT NULL
);
INSERT INTO bulk_{number}
SELECT n, timestamptz '2025-01-30 14:30:00Z' + n * interval '1 second', 'kind ' || n % 7, md5(n::text)
       || ' was ordered by phone, paid by invoice and sent to the address on file; ' || md5((n * 7)::text)
  FROM generate_series(1, {rows}) AS n;
"""


class Ground:
    """A bed with four releases of the ledger, each with a layer of its own that takes two seconds to download."""

    def __init__(self) -> None:
        self._ending = ExitStack()
        self._hosts = 0
        self.bed: Bed
        self.feed: ReleaseFeed
        self._door: SlowDoor

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.bed = stack.enter_context(Bed("bench"))
            self._door = stack.enter_context(SlowDoor(self.bed.registry.port, LINE_BYTES_PER_S))
            for version in (OLD, GOOD, BAD_MIGRATION, NEVER_GOOD):
                self._publish(version)
            self.feed = self.bed.feed(OLD, GOOD, BAD_MIGRATION, NEVER_GOOD)
            self._ending = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.__exit__(kind, error, trace)

    @contextmanager
    def stand(self, size_mb: int, *, services: int = 1) -> Iterator[Stand]:
        """Make a host that runs the oldest release with a database of this size; all of it is removed on leaving."""
        self._hosts += 1
        project = f"{self.bed.id}-{self._hosts}"
        host = LedgerHost(
            client=self.bed.client,
            folder=self.bed.folder / project,
            project=project,
            repository=f"{self._door.address}/{self.bed.id}/ledger",
            tag=f"v{OLD}",
            postgres_image=self.bed.bases.postgres,
            owner=self.bed.id,
        )
        with host:
            _multiply_app(host.folder / "docker-compose.yml", services)
            host.install()
            stand = Stand(self, host, tuple(_name_app(number) for number in range(services)))
            stand.fill(size_mb)
            yield stand
        shutil.rmtree(host.folder)

    def _publish(self, version: str) -> None:
        plain = build_ledger(version, f"{self.bed.id}/plain", bases=self.bed.bases, labels={LABEL: self.bed.id})
        container = self.bed.client.containers.create(plain)
        try:
            container.put_archive("/", _pack_layer())
            image = container.commit(self.bed.repository, f"v{version}")
        finally:
            container.remove()
        self.bed.registry.push(f"{self.bed.repository}:v{version}")
        for reference in (str(image.id), plain):
            self.bed.client.images.remove(reference, force=True)


@dataclass(frozen=True)
class Stand:
    """A host to measure on, reset to its first condition before each measurement."""

    ground: Ground
    host: LedgerHost
    services: tuple[str, ...]

    def fill(self, size_mb: int) -> None:
        """Add tables that no migration touches, until the database has about this size."""
        rows = max(0, size_mb * MEGABYTE - self.read_size()) // _ROW_BYTES // _TABLES
        for number in range(_TABLES):
            self.host.psql(_FILL.format(number=number, rows=rows))
        self.host.psql("VACUUM ANALYZE")
        self.host.psql("CHECKPOINT")

    def read_size(self) -> int:
        """Bytes of the live database."""
        return int(self.host.psql("SELECT pg_database_size('ledger')"))

    def reset(self, target: str, *, image_there: bool, keep_journal: bool = False) -> None:
        """Reset it: the old version serves, database and journal are as they were, nothing is dirty in memory."""
        self.host.pin(f"v{OLD}")
        self.host.stop(*self.services)
        self._reset_database()
        for folder in (self.host.folder / "backups", *([] if keep_journal else [self.host.folder / ".orchestrator"])):
            shutil.rmtree(folder, ignore_errors=True)
        (self.host.folder / "backups").mkdir(mode=0o700)
        self.host.up()
        self._forget_kept_images()
        self._provide(f"{self.host.repository}:v{target}", there=image_there)
        self.host.psql("CHECKPOINT")
        os.sync()

    def build_plan(self, *, rehearsed: bool = True, patience: str = "5m") -> Document:
        """Build the standard plan for this host, steady for `STEADY_S`; ``patience`` is how long health may take."""
        plan = build_ledger_plan(self.host, self.ground.feed, "upgrade.yaml", rehearsed=rehearsed)
        target, states = plan["target"], plan["states"]
        assert isinstance(target, dict)
        assert isinstance(states, dict)
        target["services"] = list(self.services)
        target["health"]["steady_for"] = f"{STEADY_S:g}s"
        for state in states.values():
            if state.get("kind") == "health":
                state["timeout"] = patience
            if state.get("kind") == "rehearse":
                del state["with"]  # as long as it takes
        return plan

    def save_plan(self, plan: Document) -> Path:
        """Write a plan into the host's folder; its path."""
        path = self.host.folder / "plan.yaml"
        path.write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
        return path

    def _reset_database(self) -> None:
        for name in self.host.psql("SELECT datname FROM pg_database WHERE datname LIKE 'ledger\\_\\_%'").split():
            self.host.psql(f'ALTER DATABASE "{name}" IS_TEMPLATE false', database="postgres")
            self.host.psql(f'DROP DATABASE "{name}" WITH (FORCE)', database="postgres")
        self.host.psql("ALTER TABLE entries DROP COLUMN IF EXISTS length")
        self.host.psql("DELETE FROM schema_version WHERE version > 1")

    def _forget_kept_images(self) -> None:
        for image in self.host.client.images.list(filters={"label": f"{LABEL}={self.ground.bed.id}"}):
            for tag in image.tags:
                if tag.startswith("upgrade-orchestrator/kept:"):
                    self.host.client.images.remove(tag)

    def _provide(self, reference: str, *, there: bool) -> None:
        if there:
            repository, _, tag = reference.rpartition(":")
            self.host.client.images.pull(repository, tag)
            return
        try:
            image = self.host.client.images.get(reference)
        except docker.errors.ImageNotFound:
            return
        self.host.client.images.remove(str(image.id), force=True)


def _pack_layer() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo("opt/layer")
        entry.size = LAYER_BYTES
        archive.addfile(entry, io.BytesIO(os.urandom(LAYER_BYTES)))
    return stream.getvalue()


def _name_app(number: int) -> str:
    return "app" if number == 0 else f"app{number + 1}"


def _multiply_app(path: Path, services: int) -> None:
    if services == 1:
        return
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    app = document["services"]["app"]
    # Many that start at once share the processor for longer than the 5 s of the image; after those the engine would
    # look again in half a minute only, and it would be that which is measured.
    app["healthcheck"] = {"start_period": "2m"}
    private = {key: value for key, value in app.items() if key != "ports"}
    document["services"]["db"]["command"] = ["postgres", "-c", "max_connections=400"]
    document["services"] |= {_name_app(number): private for number in range(1, services)}
    path.write_text(yaml.dump(document, Dumper=_Spelled, sort_keys=False), encoding="utf-8")


class _Spelled(yaml.SafeDumper):
    """Repeats what is the same, where YAML would refer to it."""

    def ignore_aliases(self, data: object) -> bool:
        return True
