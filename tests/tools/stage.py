"""The fake of stages: a world apart, on which the other fakes work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.adapters.postgres.store import PostgresStore
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.model.workloads import JobStatus, ProbeAnswer, ServiceStatus
from orchestrator.core.ports.data_store import DataStore
from tests.tools.database import FakeDatabase
from tests.tools.jobs import write_private
from tests.tools.outside import FakeProbe
from tests.tools.workloads import FakeWorkloads
from tests.tools.world import FakeWorld

_OPEN_S = 2.0


class FakeStages:
    """`Stages` beside the world."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world

    def open(
        self,
        project: FrozenProject,
        services: Sequence[str],
        *,
        run_id: str,
        directory: Path,
        writable: Sequence[str],
        deadline: Deadline,
    ) -> FakeStage:
        with self._world.script.effect("stage.open", run_id):
            if run_id in self._world.stages:
                raise PlatformError("compose.failed", f"There is a stage of {run_id} already.")
            apart = self._world.stages[run_id] = self._world.apart()
            deadline.pause(_OPEN_S)
            return FakeStage(apart, project, run_id)

    def remove_all(self, run_id: str) -> None:
        with self._world.script.effect("stage.remove_all", run_id):
            stage = self._world.stages.pop(run_id, None)
            for job in stage.jobs.values() if stage else ():
                job.exit_code = 137 if job.running else job.exit_code

    def list_remnants(self, run_id: str) -> tuple[str, ...]:
        self._world.script.look("stage.find_left")
        return (f"stage of {run_id}",) if run_id in self._world.stages else ()


class FakeStage:
    """`Stage` on a world apart."""

    def __init__(self, apart: FakeWorld, project: FrozenProject, run_id: str) -> None:
        self._world = apart
        self._project = project
        self._run_id = run_id
        self._platform = FakeWorkloads(apart)
        self._database = PostgresStore(FakeDatabase(apart))

    @property
    def stores(self) -> tuple[DataStore, ...]:
        return (self._database, *self._world.stores)

    def disk_usage(self) -> int:
        self._world.script.look("disk_usage")
        return sum(database.size_bytes for database in self._world.databases.values())

    def limits(self) -> tuple[str, ...]:
        self._world.script.look("limits")
        return (*self._world.stage_limits, "nothing outside of the copy is reached")

    def start_services(self, services: Sequence[str], pin: str, *, deadline: Deadline) -> None:
        self._platform.start_services(self._project, services, pin, deadline=deadline)

    def stop_services(self, services: Sequence[str]) -> None:
        with self._world.script.effect("stop_services", *services):
            for service in services:
                self._world.containers.pop(service, None)

    def inspect_services(self, services: Sequence[str]) -> tuple[ServiceStatus, ...]:
        return self._platform.inspect_services(services)

    def reaches(self, url: str) -> bool:
        self._world.script.look("reaches")
        return True

    def get(self, url: str, *, timeout_s: float, asked: str | None = None) -> ProbeAnswer:
        self._world.script.look("get")
        return FakeProbe.answer(self._world, url)

    def start_job(self, name: str, command: Sequence[str], pin: str, *, deadline: Deadline) -> None:
        self._platform.start_job(self._project, name, command, pin, run_id=self._run_id, deadline=deadline)

    def inspect_job(self, name: str) -> JobStatus | None:
        return self._platform.inspect_job(name)

    def save_log(self, container: str, path: Path) -> str:
        if container in self._world.jobs:
            return self._platform.save_job_log(container, path)
        said = self._platform.read_logs(container, lines=50)
        write_private(path, said.encode())
        return said
