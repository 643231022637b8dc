"""Containers of a stage: a project of its own, rendered from the frozen one, as the port `Containers`."""

from collections.abc import Sequence
from pathlib import Path

from orchestrator.adapters.compose.command import Compose, job_command, up_command
from orchestrator.adapters.compose.frozen import read_frozen
from orchestrator.adapters.compose.jobs import Jobs
from orchestrator.adapters.compose.render_trial import StagePlan, build_stage
from orchestrator.adapters.compose.rendering import fill_template
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.models import (
    ONE_OFF_LABEL,
    PROJECT_LABEL,
    RUN_LABEL,
    SERVICE_LABEL,
    ContainerDocument,
)
from orchestrator.core.atomic_write import write_atomically
from orchestrator.core.deadline import Deadline
from orchestrator.core.facts import FrozenProject
from orchestrator.core.model.workloads import JobStatus, ServiceStatus

_PRIVATE = 0o600


class TrialContainers:
    """Services and jobs of a stage; what of it is rendered lies in ``directory``."""

    def __init__(self, engine: DockerEngine, compose: Compose, plan: StagePlan, directory: Path) -> None:
        self._engine = engine
        self._compose = compose
        self._plan = plan
        self._directory = directory
        self._jobs = Jobs(engine, compose.mask)

    def inspect_services(self, services: Sequence[str]) -> tuple[ServiceStatus, ...]:
        """See `Containers.inspect_services`."""
        found = self.find(services)
        return tuple(container.to_status(self._engine.find_image(container.image)) for container in found)

    def start_services(self, project: FrozenProject, services: Sequence[str], pin: str, *, deadline: Deadline) -> None:
        """See `Containers.start_services`; what they depend on is started too."""
        self.up(project, services, pin, alone=False, deadline=deadline)

    def stop_services(self, services: Sequence[str], *, deadline: Deadline, at_once: bool = False) -> None:
        """See `Containers.stop_services`: nobody waits for a last word of a copy, and its containers go."""
        for container in self.find(services):
            deadline.check()
            self._engine.destroy_container(container.id)

    def start_job(
        self,
        project: FrozenProject,
        name: str,
        command: Sequence[str],
        pin: str,
        *,
        run_id: str,
        deadline: Deadline,
    ) -> None:
        """See `Containers.start_job`; what the service depends on is started too."""
        file = self._write(project, pin)
        argv = job_command(self._directory, name, command, file=file, name=self._plan.name, run_id=run_id, alone=False)
        self._compose.run(argv, self._directory, deadline=deadline)

    def inspect_job(self, name: str) -> JobStatus | None:
        """See `Containers.inspect_job`."""
        return self._jobs.inspect(name)

    def save_job_log(self, name: str, path: Path) -> str:
        """See `Containers.save_job_log`."""
        return self._jobs.save_log(name, path)

    # --- for the stage itself

    def up(self, project: FrozenProject, services: Sequence[str], pin: str, *, alone: bool, deadline: Deadline) -> None:
        """Start services, ``alone`` without what they depend on."""
        file = self._write(project, pin)
        argv = up_command(self._directory, services, file=file, name=self._plan.name, alone=alone)
        self._compose.run(argv, self._directory, deadline=deadline)

    def find(self, services: Sequence[str]) -> tuple[ContainerDocument, ...]:
        """The containers of these services, jobs left out."""
        labels = build_labels(self._plan.run_id) | {ONE_OFF_LABEL: "False"}
        return tuple(
            found for service in services for found in self._engine.find_containers({**labels, SERVICE_LABEL: service})
        )

    def _write(self, project: FrozenProject, pin: str) -> Path:
        file = self._directory / "compose.stage.json"
        rendering = build_stage(fill_template(read_frozen(project), pin), self._plan)
        write_atomically(file, rendering.encode(), mode=_PRIVATE)
        return file


def stage_name(run_id: str) -> str:
    """Name of a run's stage as a project of Compose."""
    return f"upgrade-orchestrator-rehearsal-{run_id}"


def build_labels(run_id: str) -> dict[str, str]:
    """Labels of all that belongs to a run's stage."""
    return {RUN_LABEL: run_id, PROJECT_LABEL: stage_name(run_id)}
