"""One shared, mutable world behind all fakes of the ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.core.foresight import Obstacle, Peer
from orchestrator.core.model.images import Pin
from orchestrator.core.model.stores import Session, StoreLoad
from orchestrator.core.model.workloads import Difference
from tests.tools.clock import FakeClock
from tests.tools.memory_store import MemoryStore
from tests.tools.script import Call, Script, StagedScript, When
from tests.tools.things import (
    Condition,
    FakeContainer,
    FakeDb,
    FakeImage,
    FakeJob,
    FakeRelease,
    Migration,
)

UNHEALTHY_AFTER_S = 30.0
CRASH_AFTER_S = 1.0
LISTENS_AFTER_S = 0.2


def address_of(service: str) -> str:
    """The address of a service's container in the project's network."""
    return f"172.30.0.{sum(service.encode()) % 250 + 2}"


@dataclass
class FakeWorld:
    """A host with an app, its database server, its registry and its users.

    Tests change it directly between calls, plan failures with `fail`, and compare what is left.
    """

    project_directory: Path
    backup_directory: Path
    repository: str = "registry.example/ledger"
    project_name: str = "ledger"
    live: str = "ledger"
    services: tuple[str, ...] = ("app",)
    database_service: str = "db"
    user_table: str = "public.entries"

    clock: FakeClock = field(default_factory=FakeClock)
    script: Script = field(default_factory=Script)
    releases: dict[str, FakeRelease] = field(default_factory=dict)
    images: list[FakeImage] = field(default_factory=list)
    containers: dict[str, FakeContainer] = field(default_factory=dict)
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    databases: dict[str, FakeDb] = field(default_factory=dict)
    stores: tuple[MemoryStore, ...] = ()  # beside the database
    files: dict[Path, bytes] = field(default_factory=dict)
    stages: dict[str, FakeWorld] = field(default_factory=dict)
    pin: str = ""
    migrate_command: tuple[str, ...] = ("app", "migrate")
    other_commands: dict[tuple[str, ...], Migration] = field(default_factory=dict)
    edited: list[str] = field(default_factory=list)
    database_obstacles: list[Obstacle] = field(default_factory=list)
    neighbours: list[Peer] = field(default_factory=list)
    host_commands: dict[str, Callable[[Mapping[str, str]], int]] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)

    online: bool = True
    pin_writable: bool = True
    database_up: bool = True
    database_full: bool = False
    data_disk_full: bool = False
    tables_locked: bool = False
    published_port: int = 5100
    knows_its_host: bool = False
    host_name: str = "localhost"
    stage_limits: tuple[str, ...] = ()
    lives_on_stage: bool = True
    nothing_lives: bool = False
    gate_problem: str = ""
    drift: list[Difference] = field(default_factory=list)  # what somebody has changed on the app's containers
    other_name: str = ""
    restart_policy: str = "unless-stopped"
    server_version: str = "17.2"
    engine_id: str = "engine-1"
    system_identifier: str = "7455000000000000001"
    server_began: str = "the first beginning"
    boots: int = 1
    server: dict[str, str] = field(default_factory=dict)
    log_problem: str = ""
    engine_free_bytes: int | None = 10_000_000_000
    database_free_bytes: int | None = 10_000_000_000
    database_load: StoreLoad = field(default_factory=lambda: StoreLoad(free_connections=90))
    backup_free_bytes: int = 10_000_000_000
    backup_problem: str = ""
    _numbers: list[int] = field(default_factory=lambda: [0])  # shared with the stages

    # --- what a test plans and reads ---

    @property
    def calls(self) -> list[Call]:
        """All effects so far, in order."""
        return self.script.calls

    def chain(self) -> list[str]:
        """The effects' names alone, in order."""
        return self.script.chain()

    def fail(self, method: str, error: BaseException, times: int = 1, *, when: When = "before") -> None:
        """Let the next ``times`` calls of ``method`` (``database.copy``) raise before or after their work."""
        self.script.fail(method, error, times=times, when=when)

    def happen(self, method: str, happening: Callable[[], object], times: int = 1, *, when: When = "before") -> None:
        """Let something happen around the next ``times`` calls of ``method``."""
        self.script.happen(method, happening, times=times, when=when)

    def users_write(self, count: int) -> int:
        """Users save entries; how many of them the app acknowledged (none where it does not serve)."""
        if self.serving() is None:
            return 0
        entries = [f"entry {len(self.acknowledged) + number}" for number in range(count)]
        self.databases[self.live].tables.setdefault(self.user_table, []).extend(entries)
        self.acknowledged.extend(entries)
        return count

    def missing(self) -> list[str]:
        """Acknowledged entries that are not in the live database."""
        live = self.databases.get(self.live)
        there = set(live.tables.get(self.user_table, ())) if live else set()
        return [entry for entry in self.acknowledged if entry not in there]

    def lost(self) -> list[str]:
        """Acknowledged entries that are in no database of the server."""
        there = {row for database in self.databases.values() for row in database.tables.get(self.user_table, ())}
        return [entry for entry in self.acknowledged if entry not in there]

    def serving(self) -> FakeRelease | None:
        """The release that answers users at this moment."""
        container = self.containers.get(self.services[0])
        if container is None or container.gated or self.condition(container) is not Condition.HEALTHY:
            return None
        return container.image.release

    # --- things that happen to a host ---

    def reboot(self) -> None:
        """Power off and on: jobs are gone, and what has a restart policy comes back; the server lost its counters."""
        self.boots += 1
        for job in self.jobs.values():
            if job.running:
                job.exit_code = 137
        for container in self.containers.values():
            self._come_back(container)

    def prune_images(self) -> None:
        """What ``docker image prune`` removes: images without a name that no container uses."""
        self.images = [image for image in self.images if self.is_needed(image)]

    def _come_back(self, container: FakeContainer) -> None:
        if container.state == "running" and container.restart_policy == "no":
            container.state, container.exit_code = "exited", 137
        elif container.state == "running":
            self.start_container(container)

    # --- how its parts hang together ---

    def start_container(self, container: FakeContainer) -> None:
        """Start its main process now; a release that migrates as it starts does so."""
        container.state, container.exit_code = "running", 0
        container.started_at_s = self.clock.monotonic()
        release, live = container.image.release, self.databases.get(self.live)
        if release and release.migrates_on_start and live and not live.fenced and live.schema != release.schema:
            container.exit_code = release.migrate(live)
            container.state = "exited" if container.exit_code else "running"

    def condition(self, container: FakeContainer) -> Condition:
        """How a container is at this moment, as its health check would find it."""
        if container.state != "running" or self.restarts(container):
            return Condition.DOWN
        release = container.image.release
        if release is None:
            return Condition.HEALTHY
        uptime_s = self.clock.monotonic() - container.started_at_s
        if uptime_s < (UNHEALTHY_AFTER_S if release.healthy_after_s is None else release.healthy_after_s):
            return Condition.STARTING
        broken = release.breaks_after_s is not None and uptime_s >= release.breaks_after_s
        broken = broken or (release.is_ill is not None and release.is_ill())
        if release.healthy_after_s is None or broken or self.nothing_lives or not self._fits(release):
            return Condition.UNHEALTHY
        return Condition.HEALTHY

    def restarts(self, container: FakeContainer) -> int:
        """How often a container that cannot stay up was started again."""
        release = container.image.release
        if container.state != "running" or release is None or not release.crash_loop:
            return 0
        return int((self.clock.monotonic() - container.started_at_s) // CRASH_AFTER_S)

    def listens(self, container: FakeContainer) -> bool:
        """Whether anything accepts a connection."""
        uptime_s = self.clock.monotonic() - container.started_at_s
        return self.condition(container) is not Condition.DOWN and uptime_s >= LISTENS_AFTER_S

    def connected(self, name: str) -> list[Session]:
        """Who is connected: the app and its jobs while they run, and whom a test has put there."""
        database = self.databases[name]
        own = [
            Session(pid=1000 + number, user="app", application=service, address=address_of(service))
            for number, (service, container) in enumerate(sorted(self.containers.items()))
            if name == self.live and not database.fenced and container.image.release and container.state == "running"
        ]
        jobs = [
            Session(pid=2000 + number, user="app", application=job.name)
            for number, job in enumerate(self.jobs.values())
            if job.running and job.database is database
        ]
        return [*own, *jobs, *database.sessions]

    def find_image(self, reference: str) -> FakeImage | None:
        """By id or ``repository:tag``, ``repository@digest`` or ``repository:tag@digest``: the digest decides."""
        for image in self.images:
            if reference in {image.image_id, image.digest_reference} or reference in image.names:
                return image
            if reference.endswith(f"@{image.digest}") and reference.startswith(f"{image.repository}:"):
                return image
        return None

    def pinned_image(self, pin: str) -> FakeImage | None:
        """The local image that a pin stands for."""
        parsed = Pin.parse(pin)
        return self.find_image(f"{self.repository}{'@' + parsed.digest if parsed.digest else ':' + parsed.tag}")

    def published(self, digest: str) -> FakeRelease | None:
        """The release that the registry has under a digest."""
        return next((release for release in self.releases.values() if release.digest == digest), None)

    def add_image(self, release: FakeRelease) -> FakeImage:
        """Put a release's image on the host, under the digest alone."""
        image = FakeImage(
            release.image_id, self.repository, release.digest, release=release, size_bytes=release.size_bytes
        )
        self.images.append(image)
        return image

    def is_needed(self, image: FakeImage) -> bool:
        """Whether an image has a name or a container."""
        used = [one.image for one in self.containers.values()] + [one.image for one in self.jobs.values()]
        return bool(image.names) or any(one is image for one in used)

    def database_answers(self) -> bool:
        """Whether the database server accepts connections."""
        container = self.containers.get(self.database_service)
        return self.database_up and (container is None or container.state == "running")

    def lets_work(self) -> bool:
        """Whether the database server answers, has a connection left, and can write."""
        return self.database_answers() and not self.database_full and not self.data_disk_full

    def apart(self) -> FakeWorld:
        """A stage: a host with the same images and clock, an empty database, and nothing that runs."""
        empty, script = FakeDb(schema="nothing", tables={}), StagedScript(around=self.script)
        return replace(
            self,
            script=script,
            databases={self.live: empty},
            stores=tuple(store.apart(script) for store in self.stores),
            containers={},
            jobs={},
            stages={},
            restart_policy="no",
            database_up=True,
            database_full=False,
            tables_locked=False,
            nothing_lives=not self.lives_on_stage,
        )

    def number(self) -> int:
        """A number that was not given out before."""
        self._numbers[0] += 1
        return self._numbers[0]

    def _fits(self, release: FakeRelease) -> bool:
        live = self.databases.get(self.live)
        if live is None or live.torn or live.fenced or not self.lets_work():
            return False
        return live.schema == release.schema or live.schema in release.also_lives_on
