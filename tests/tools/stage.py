"""The fake of stages: a world apart, on which the other fakes work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.adapters.postgres.store import PostgresStore
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.model.workloads import ProbeAnswer
from orchestrator.core.ports.data_store import DataStore
from tests.tools.database import FakeDatabase
from tests.tools.jobs import write_private
from tests.tools.outside import FakeProbe
from tests.tools.workloads import FakeWorkloads
from tests.tools.world import FakeWorld

_OPEN_S = 2.0


class FakeTrials:
    """`Trials` beside the world."""

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
    ) -> FakeTrial:
        with self._world.script.effect("stage.open", run_id):
            if run_id in self._world.stages:
                raise PlatformError("compose.failed", f"There is a stage of {run_id} already.")
            apart = self._world.stages[run_id] = self._world.apart()
            deadline.pause(_OPEN_S)
            return FakeTrial(apart)

    def remove_all(self, run_id: str) -> None:
        with self._world.script.effect("stage.remove_all", run_id):
            stage = self._world.stages.pop(run_id, None)
            for job in stage.jobs.values() if stage else ():
                job.exit_code = 137 if job.running else job.exit_code

    def list_remnants(self, run_id: str) -> tuple[str, ...]:
        self._world.script.look("stage.find_left")
        return (f"stage of {run_id}",) if run_id in self._world.stages else ()


class FakeTrial:
    """`Trial` on a world apart."""

    def __init__(self, apart: FakeWorld) -> None:
        self._world = apart
        self._database = PostgresStore(FakeDatabase(apart))
        self.containers = FakeCopies(apart)

    @property
    def stores(self) -> tuple[DataStore, ...]:
        return (self._database, *self._world.stores)

    def disk_usage(self) -> int:
        self._world.script.look("disk_usage")
        return sum(database.size_bytes for database in self._world.databases.values())

    def limits(self) -> tuple[str, ...]:
        self._world.script.look("limits")
        return (*self._world.stage_limits, "nothing outside of the copy is reached")

    def reaches(self, url: str) -> bool:
        self._world.script.look("reaches")
        return True

    def get(self, url: str, *, timeout_s: float, asked: str | None = None) -> ProbeAnswer:
        self._world.script.look("get")
        return FakeProbe.answer(self._world, url)


class FakeCopies(FakeWorkloads):
    """`Containers` on a world apart: they are ended at once and gone."""

    def stop_services(
        self,
        services: Sequence[str],
        *,
        deadline: Deadline,
        at_once: bool = False,
        meanwhile: Callable[[], bool] | None = None,
    ) -> None:
        with self._world.script.effect("stop_services", *services):
            for service in services:
                self._world.containers.pop(service, None)

    def save_job_log(self, name: str, path: Path) -> str:
        if name in self._world.jobs:
            return super().save_job_log(name, path)
        said = self.read_logs(name, lines=50)
        write_private(path, said.encode())
        return said
