"""One-off containers: they go on by themselves as time passes, whether anybody waits for them or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import PlatformError
from orchestrator.core.model.workloads import JobStatus
from tests.tools.things import FakeDb, FakeImage, FakeJob, Migration
from tests.tools.world import FakeWorld

_POLL_S = 0.5
_LOCK_POLL_S = 1.0
_TAIL_LINES = 50
_KILLED = 137


class FakeJobs:
    """Jobs on the live database. One that is ended before its time leaves the database torn."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world

    def start(self, name: str, command: Sequence[str], image: FakeImage, run_id: str) -> None:
        world = self._world
        if name in world.jobs:
            raise PlatformError("job.exists", f"There is a container named {name} already.")
        release, database = image.release, world.databases.get(world.live)
        log = release.migration_log if release else ""
        job = FakeJob(name, run_id, image, log, database, world.clock.monotonic())
        world.jobs[name] = job
        migration = self._migration(command, image)
        if database is None or database.fenced or migration is None or not world.lets_work():
            job.exit_code = 1
            return
        database.torn = True
        world.clock.after(release.migrate_s if release else 0.0, partial(self._finish, job, migration, database))

    def inspect(self, name: str) -> JobStatus | None:
        job = self._world.jobs.get(name)
        if job is None:
            return None
        said = next(iter(job.log.splitlines()), "") if job.running else ""
        return JobStatus(name=name, running=job.running, exit_code=job.exit_code, said=said)

    def wait(self, name: str, deadline: Deadline, tell: Callable[[str], None]) -> JobStatus:
        return deadline.poll(lambda: self._find_verdict(name, tell), every_s=_POLL_S)

    def stop(self, name: str) -> None:
        job = self._find_own(name)
        if job and job.running:
            job.exit_code = _KILLED

    def save_log(self, name: str, path: Path) -> str:
        job = self._find_own(name)
        if job is None:
            raise PlatformError("job.missing", f"The container {name} is gone.")
        with suppress(PlatformError):  # a full disk is no verdict on the job
            write_private(path, job.log.encode())
        return "\n".join(job.log.splitlines()[-_TAIL_LINES:])

    def remove(self, name: str) -> None:
        job = self._find_own(name)
        if job and job.running:
            raise PlatformError("engine.refused", f"The container {name} is still at work.")
        self._world.jobs.pop(name, None)

    def _find_own(self, name: str) -> FakeJob | None:
        job = self._world.jobs.get(name)
        if job is not None and not job.run_id:
            raise PlatformError("job.foreign", f"The container {name} was not started by an upgrade; it is left alone.")
        return job

    def _migration(self, command: Sequence[str], image: FakeImage) -> Migration | None:
        words = tuple(command)
        if words in self._world.other_commands:
            return self._world.other_commands[words]
        return image.release.migrate if image.release and words == self._world.migrate_command else None

    def _find_verdict(self, name: str, tell: Callable[[str], None]) -> JobStatus | None:
        try:
            self._world.script.look("workloads.inspect_job")
        except PlatformError as error:
            if error.code == "engine.unreachable":
                return None  # the job goes on without the engine's client, and is asked for again
            raise
        status = self.inspect(name)
        if status is None:
            raise PlatformError("job.missing", f"The container {name} is gone; how it ended is not known.")
        if status.said:
            tell(status.said)
        return None if status.running else status

    def _finish(self, job: FakeJob, migration: Migration, database: FakeDb) -> None:
        if job.running and self._world.tables_locked:
            self._world.clock.after(_LOCK_POLL_S, partial(self._finish, job, migration, database))
        elif job.running:
            job.exit_code = migration(database)
            database.torn = False


def write_private(path: Path, content: bytes) -> None:
    """Write a file for its owner alone. ``compose.not_written`` where there is no room."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(content)
    except OSError as error:
        raise PlatformError("compose.not_written", f"{path} cannot be written: {error.strerror}.") from error
