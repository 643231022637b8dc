"""A world to begin with: the app at v1.0.0, healthy, and four releases to go to, three of them bad."""

from __future__ import annotations

from pathlib import Path

from orchestrator.adapters.compose.recovery import ComposeRecovery
from orchestrator.adapters.postgres.recovery import PostgresRecovery
from orchestrator.adapters.postgres.store import PostgresStore
from orchestrator.core.ports.operator import Operator
from orchestrator.core.ports.recovery import JoinedRecovery
from orchestrator.core.state_kind import Ports
from orchestrator.releases.finder import PublishedReleaseFinder
from tests.tools.backups import FakeBackupStore
from tests.tools.database import FakeDatabase
from tests.tools.images import FakeImages
from tests.tools.outside import FakeFeed, FakeOperator, FakeProbe
from tests.tools.stage import FakeTrials
from tests.tools.things import (
    FakeContainer,
    FakeDb,
    FakeImage,
    FakeRelease,
    Migration,
    Schema,
    digest_of,
    migrate_to,
)
from tests.tools.workloads import FakeWorkloads
from tests.tools.world import FakeWorld

#: The real commands: no fake stands between a run and its runbook.
RECOVERY = JoinedRecovery((PostgresRecovery(ComposeRecovery()), ComposeRecovery()))
_LONG_UP_S = 3600.0


def make_world(directory: Path) -> FakeWorld:
    """v1.0.0 serves; v1.1.0 is good, v1.2.0 fails half-way in its migration, v1.3.0 is never healthy, v1.4.0
    says that it is another version.

    All are in the registry; a test that wants an upgrade to a certain one unannounces the later ones with
    `announce_up_to` or asks for it by name.
    """
    world = FakeWorld(project_directory=directory / "project", backup_directory=directory / "backups")
    world.project_directory.mkdir()
    for release in _releases():
        world.releases[release.version] = release
    world.databases[world.live] = FakeDb(schema=1, tables=_tables())
    world.pin = "v1.0.0"
    image = world.add_image(world.releases["v1.0.0"])
    image.names.add(f"{world.repository}:v1.0.0")
    _run_containers(world, image)
    return world


def announce_up_to(world: FakeWorld, version: str) -> None:
    """Let ``version`` be the newest release that the feed knows."""
    newest = list(world.releases).index(version)
    for place, release in enumerate(world.releases.values()):
        release.announced = place <= newest


def make_release(
    version: str, schema: Schema, *, migrate: Migration | None = None, reports: str | None = None
) -> FakeRelease:
    """A release that works unless told otherwise."""
    return FakeRelease(
        version=version,
        digest=digest_of(version),
        schema=schema,
        migrate=migrate or migrate_to(schema),
        reports=reports or version.removeprefix("v"),
        notes=f"What is new in {version}.",
    )


def make_ports(world: FakeWorld, *, operator: Operator | None = None, with_database: bool = True) -> Ports:
    """All ports on one world; a second call is what a second process would see."""
    platform, images = FakeWorkloads(world), FakeImages(world)
    return Ports(
        clock=world.clock,
        workloads=platform,
        images=images,
        backups=FakeBackupStore(world),
        probe=FakeProbe(world),
        operator=operator or FakeOperator(),
        finder=PublishedReleaseFinder(FakeFeed(world), platform, images, RECOVERY, world.services, world.repository),
        recovery=RECOVERY,
        stores=(PostgresStore(FakeDatabase(world)), *world.stores) if with_database else (),
        trials=FakeTrials(world) if with_database else None,
    )


def _releases() -> tuple[FakeRelease, ...]:
    never_healthy = make_release("v1.3.0", 3)
    never_healthy.healthy_after_s = None
    half_way = make_release("v1.2.0", 3, migrate=_fail_half_way)
    half_way.migration_log = "migrating\nERROR:  column authors.name contains null values\n"
    return (
        make_release("v1.0.0", 1),
        make_release("v1.1.0", 2),
        half_way,
        never_healthy,
        make_release("v1.4.0", 4, reports="1.3.9"),
    )


def _fail_half_way(database: FakeDb) -> int:
    database.schema = "between 2 and 3"
    database.tables["public.authors"] = []
    database.tables["public.entries"] = []
    return 1


def _tables() -> dict[str, list[str]]:
    return {
        "public.entries": [f"first entry {number}" for number in range(5)],
        "public.settings": ["colour blue", "language en"],
    }


def _run_containers(world: FakeWorld, image: FakeImage) -> None:
    db_image = FakeImage(digest_of("config of db"), "postgres", digest_of("db"), {"postgres:17"})
    world.images.append(db_image)
    world.containers["app"] = FakeContainer("app-0", "app", image, f"{world.repository}:v1.0.0", -_LONG_UP_S)
    world.containers["db"] = FakeContainer("db-0", "db", db_image, "postgres:17", -_LONG_UP_S)
