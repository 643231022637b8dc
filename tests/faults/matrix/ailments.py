"""Faults of the app itself and of its surroundings: migration, health, backups, rights, names."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import MappingProxyType
from unittest.mock import patch

from orchestrator.adapters.postgres.store import PostgresStore
from orchestrator.core.errors import DatabaseError, PlatformError
from orchestrator.core.ports.data_store import Role
from orchestrator.journal.journal import Journal
from states.shared.migration_job import job_name
from tests.faults.matrix.scene import RUN_ID, Scene
from tests.faults.matrix.variants import Variant, altered, lose_engine, refused
from tests.tools.database import FakeDatabase
from tests.tools.things import FakeDb, FakeImage, FakeJob, digest_of

EARLIER_BACKUP = "2025-12-01_020000_v0.9.0.sql.gz"
_FLAPS_EVERY_S = 1.5
_SLOW_S = 60.0
_NEVER_S = 1e9


@contextmanager
def _change_releases(scene: Scene, **values: object) -> Iterator[None]:
    """All of them; from the start of the new version on the one that runs before is not ill for that."""
    releases = [
        release
        for release in scene.world.releases.values()
        if scene.state != "start" or release.version == scene.version
    ]
    with ExitStack() as changed:
        for release in releases:
            changed.enter_context(altered(release, **values))
        yield


# --- migration


def _half(database: FakeDb, *, exit_code: int) -> int:
    database.schema = "half"
    return exit_code


@contextmanager
def _migrate_badly(scene: Scene, exit_code: int, seconds: float = 2.0) -> Iterator[None]:
    with _change_releases(scene, migrate=partial(_half, exit_code=exit_code), migrate_s=seconds):
        yield


@contextmanager
def _migrate_badly_on_start(scene: Scene) -> Iterator[None]:
    """The new version cannot make its schema as it starts; one that is up by now has just found that out."""
    started = [container for container in scene.world.containers.values() if container.gated]
    for container in started:
        container.state, container.exit_code = "exited", 1
    values = {"migrates_on_start": True, "schema": 99, "migrate": partial(_half, exit_code=1)}
    with ExitStack() as changed:
        if not started:
            changed.enter_context(altered(scene.world.releases[scene.version], **values))
        yield


@contextmanager
def _leave_migration(scene: Scene) -> Iterator[None]:
    """Where this run has migrated, nobody waits for it any more and it is still at work; else one of an earlier run."""
    world, ours = scene.world, scene.state == "restore"
    run_id = RUN_ID if ours else "r-20251201-020000-beef"
    live = world.databases[world.live] if ours else None
    job = FakeJob(f"{job_name(run_id)}-left", run_id, world.images[-1], "", live, world.clock.monotonic())
    job.exit_code = None if ours else 137
    world.jobs[job.name] = job
    yield


# --- health


@contextmanager
def _flap(scene: Scene) -> Iterator[None]:
    clock = scene.world.clock
    began = clock.monotonic()
    with _change_releases(scene, is_ill=lambda: (clock.monotonic() - began) // _FLAPS_EVERY_S % 2 == 0):
        yield


@contextmanager
def _start_slowly(scene: Scene) -> Iterator[None]:
    """Whatever runs has just been started again."""
    running = [one for one in scene.world.containers.values() if one.image.release and one.state == "running"]
    with ExitStack() as changed:
        for container in running:
            changed.enter_context(altered(container, started_at_s=scene.world.clock.monotonic()))
        changed.enter_context(_change_releases(scene, healthy_after_s=_SLOW_S))
        yield


# --- backups


def _delete(content: bytes) -> bytes | None:
    return None


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


@contextmanager
def _damage(scene: Scene, damage: Callable[[bytes], bytes | None], *, snapshot: bool = False) -> Iterator[None]:
    """Every file of the folder, one of an earlier run among them; with the ``snapshot`` all that leads back."""
    files = scene.world.files
    before = {**files, scene.world.backup_directory / EARLIER_BACKUP: b"an earlier backup"}
    files.clear()
    files.update({path: damaged for path, content in before.items() if (damaged := damage(content)) is not None})
    if snapshot:
        lose_snapshot(scene)
    yield
    files.update(before)


def lose_snapshot(scene: Scene) -> None:
    """Nothing but the backup leads back any more, where there was a copy of the database."""
    databases = scene.world.databases
    for name in [name for name in databases if "__snapshot_" in name]:
        databases[scene.world.live].tables.update(databases.pop(name).tables)  # this migration has deleted nothing


# --- rights


@contextmanager
def _deny_files(scene: Scene) -> Iterator[None]:
    with altered(scene.world, pin_writable=False, backup_problem="Permission denied"):
        yield


@contextmanager
def _deny_database(scene: Scene) -> Iterator[None]:
    error = DatabaseError("database.failed", "PostgreSQL refused: ERROR: permission denied.")
    methods = ("copy", "restore", "fence", "unfence", "swap", "terminate_sessions", "drop")
    with refused(scene.world, tuple(f"database.{method}" for method in methods), error):
        yield


@contextmanager
def _deny_journal(scene: Scene) -> Iterator[None]:
    with patch.object(Journal, "_commit", side_effect=sqlite3.OperationalError("attempt to write a readonly database")):
        yield


# --- names


@contextmanager
def _take_containers(scene: Scene) -> Iterator[None]:
    """The names of the app's containers, of the migration's and of the stage's are somebody else's."""
    world = scene.world
    name, taken = job_name(RUN_ID), "the container name is already in use"
    theirs = FakeJob(name, "", world.images[0], "", None, exit_code=0)
    world.jobs.setdefault(name, theirs)
    with refused(world, ("workloads.start_services", "stage.open"), PlatformError("compose.failed", taken)):
        yield
    assert world.jobs[name] is theirs
    del world.jobs[name]


@contextmanager
def _take_databases(scene: Scene, count: int) -> Iterator[None]:
    """So many of the names under which a failed database could be set aside."""
    databases = scene.world.databases
    first = PostgresStore(FakeDatabase(scene.world)).choose_ref(scene.world.live, RUN_ID, Role.FAILED)
    names = [first, *(f"{first}_{number}" for number in range(2, 10))][:count]
    theirs = {name: FakeDb(schema=9, tables={"theirs": ["row"]}) for name in names}
    databases.update(theirs)
    yield
    for name, database in theirs.items():
        assert databases.pop(name) is database
        assert database.tables == {"theirs": ["row"]}


@contextmanager
def _share_volume(scene: Scene) -> Iterator[None]:
    load = scene.world.database_load.model_copy(update={"sharers": ("other-db-1 (project other)",)})
    with altered(scene.world, database_load=load):
        yield


@contextmanager
def _move_tags(scene: Scene) -> Iterator[None]:
    """All tags of the app lead to an image of somebody else."""
    world = scene.world
    before = [(image, set(image.names)) for image in world.images]
    theirs = FakeImage(digest_of("their config"), world.repository, digest_of("theirs"))
    theirs.names = {f"{world.repository}:{version}" for version in world.releases}
    for image in world.images:
        image.names -= theirs.names
    world.images.append(theirs)
    yield
    world.images.remove(theirs)
    for image, names in before:
        image.names |= names


@contextmanager
def _remove_image(scene: Scene) -> Iterator[None]:
    """The new one, as somebody does who tidies up; nothing that is in use goes."""
    world = scene.world
    used = {container.image.image_id for container in world.containers.values()}
    new = world.releases[scene.version].image_id
    gone = [image for image in world.images if image.image_id == new and image.image_id not in used]
    world.images = [image for image in world.images if image not in gone]
    yield
    world.images += [image for image in gone if image not in world.images]


_MIGRATES = frozenset({"migrate", "rehearse"})
_NEEDS_ENGINE = frozenset(
    {
        *("check", "preflight", "backup", "rehearse", "stop", "pull"),
        *("migrate", "start", "health", "commit", "restore", "rollback"),
    }
)
_NEEDS_RIGHTS = frozenset({"stop", "migrate", "start", "restore", "rollback"})
_FIRST_RECORD = frozenset({"check", "confirm", "preflight", "backup", "rehearse", "stop", "pull", "migrate"})
_NEEDS_NAMES = frozenset({"rehearse", "migrate", "start", "commit", "rollback"})
_NEEDS_BACKUP = frozenset({"rehearse"})

AILMENTS = MappingProxyType(
    {
        "MIG": (
            Variant("exit 1", partial(_migrate_badly, exit_code=1), bites=_MIGRATES),
            Variant("hangs", partial(_migrate_badly, exit_code=0, seconds=_NEVER_S), bites=_MIGRATES),
            Variant("half", partial(_migrate_badly, exit_code=0), bites=_MIGRATES),
            Variant("as the app starts", _migrate_badly_on_start, bites=_MIGRATES | {"start", "health"}),
            Variant("left at work", _leave_migration, bites=frozenset({"restore"}), silent=True),
        ),
        "UNH": (
            Variant("never healthy", partial(_change_releases, healthy_after_s=None), of_release=True),
            Variant("exits in a loop", partial(_change_releases, crash_loop=True), of_release=True),
        ),
        "FLP": (
            Variant("flaps", _flap, of_release=True),
            Variant("slow", _start_slowly, of_release=True, bites=frozenset({"preflight"})),
        ),
        "BKP": (
            Variant("deleted", partial(_damage, damage=_delete), bites=_NEEDS_BACKUP),
            Variant("cut", partial(_damage, damage=_cut), bites=_NEEDS_BACKUP),
            Variant("flipped", partial(_damage, damage=_flip), bites=_NEEDS_BACKUP),
            Variant(
                "all copies",
                partial(_damage, damage=_delete, snapshot=True),
                bites=_NEEDS_BACKUP | {"restore"},
            ),
        ),
        "PRM": (
            Variant("engine", partial(lose_engine, reason="permission denied"), bites=_NEEDS_ENGINE),
            Variant("files", _deny_files, bites=frozenset({"preflight", "backup", "start", "rollback"})),
            Variant("database", _deny_database, bites=_NEEDS_RIGHTS),
            Variant("journal", _deny_journal, bites=_FIRST_RECORD),
        ),
        "NAM": (
            Variant("containers", _take_containers, bites=_NEEDS_NAMES),
            Variant("one database", partial(_take_databases, count=1), bites=frozenset()),
            Variant("all databases", partial(_take_databases, count=9), bites=frozenset({"restore"})),
            Variant("volume", _share_volume, bites=frozenset({"preflight"})),
            Variant("tags", _move_tags, bites=frozenset()),
            Variant("image", _remove_image, bites=frozenset({"rehearse", "pull", "migrate", "start"})),
        ),
    }
)
