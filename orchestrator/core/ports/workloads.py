"""What runs the app. "Could not look" is always an error, never an empty answer."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from orchestrator.core.deadline import Deadline
from orchestrator.core.facts import FrozenProject
from orchestrator.core.foresight import Neighbourhood, Obstacle, PlannedUse
from orchestrator.core.model.workloads import Drift, EngineInfo, Gate, JobStatus, ServiceStatus


class Containers(Protocol):
    """Containers of an app's services and of its jobs: the app's own, or those of a copy. Raises `PlatformError`."""

    def inspect_services(self, services: Sequence[str]) -> tuple[ServiceStatus, ...]:
        """The containers of these services now, one-off containers left out; a service may have none."""

    def stop_services(self, services: Sequence[str], *, deadline: Deadline, at_once: bool = False) -> None:
        """Stop these services; ``at_once`` gives nobody a grace period."""

    def start_services(self, project: FrozenProject, services: Sequence[str], pin: str, *, deadline: Deadline) -> None:
        """Bring these services up as frozen, with ``pin`` in the version variable; never pulls, never builds."""

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
        """Start ``command`` = (service, argument …) in a one-off container of the service at ``pin``.

        It is on the app's network, publishes nothing, is labelled with the run, and outlives its client.
        ``job.exists`` when the name is taken.
        """

    def inspect_job(self, name: str) -> JobStatus | None:
        """The engine's own verdict on a job, None if there is no such container."""

    def save_job_log(self, name: str, path: Path) -> str:
        """Write all that the job said to ``path`` (0600); returns the last 50 lines as text."""


class Workloads(Containers, Protocol):
    """The app's project and the engine on which it runs. Raises `PlatformError`."""

    def inspect_engine(self) -> EngineInfo:
        """Ask the engine who it is. ``engine.unreachable``, ``engine.no_compose``."""

    def read_engine_id(self) -> str:
        """Which engine this is, `EngineInfo.engine_id`, in one call. ``engine.unreachable``."""

    def adopt(self, project: FrozenProject) -> None:
        """Work on the project under the name that it was frozen with, whatever its files say now."""

    def freeze(self, directory: Path) -> FrozenProject:
        """Render the project and keep the rendering in ``directory`` (mode 0600).

        ``compose.missing``, ``compose.file_missing``, ``compose.invalid``, ``service.unknown``, ``env.missing``,
        ``env.variable_missing`` (the file has no version variable), ``env.variable_unused``
        (a service's image does not follow it).
        """

    def forget_project(self, directory: Path) -> None:
        """Remove what `freeze` and the jobs of its run have kept in ``directory``: it holds the secrets of the app.

        Repeating is harmless. ``compose.not_removed``.
        """

    def find_edits(self, project: FrozenProject) -> tuple[str, ...]:
        """Names of the files that are not what they were when the project was frozen; empty if none is.

        A change that no file of its own shows has a name that says what was read. The pin is left out of account.
        Reads only.
        """

    def find_obstacles(self, project: FrozenProject, use: PlannedUse) -> tuple[Obstacle, ...]:
        """What would keep a run from doing what the plan names. Reads only."""

    def check_pin_writable(self) -> None:
        """Raise ``env.not_writable`` if the pin could not be replaced. Changes nothing."""

    def read_pin(self) -> str:
        """The text of the version variable as the project has it now."""

    def write_pin(self, text: str) -> None:
        """Set the version variable atomically and durably; every other byte of the file stays as it is."""

    def find_drift(
        self,
        project: FrozenProject | None,
        *,
        pin: str | None = None,
        services: Sequence[str] | None = None,
        gate: Gate = Gate.OPEN,
    ) -> Drift:
        """How the containers that run differ from those that would be made now, item by item.

        Compared with the frozen project (None: with what its files say now) with ``pin`` in the version variable (None:
        the one that it was frozen with). All services that run, or these; what a closed gate holds back does not
        count. The whole project also has a hint on how to make them agree. Reads only.
        """

    def check_name(self, services: Sequence[str]) -> None:
        """Raise ``refused.other_name`` if these services run, but under another name of the project."""

    def inspect_neighbourhood(self, service: str) -> Neighbourhood:
        """Who can be connected to what a service's container serves. Reads only."""

    def check_gate(self, project: FrozenProject, services: Sequence[str]) -> None:
        """Raise ``gate.impossible`` if these services cannot be kept from their users. Changes nothing."""

    def find_private_url(self, project: FrozenProject, url: str, services: Sequence[str]) -> str | None:
        """The address at which this host reaches, past the gate, what users reach at ``url``; always plain http.

        Where a proxy in front of the services has the port of ``url``, that is their only port. None where it is
        not clear which port ``url`` leads to. ``gate.no_address`` when its container does not run.
        """

    def end_jobs(self, run_id: str) -> None:
        """End every container of the run that is still at work, as `stop_job` does."""

    def read_logs(self, container_id: str, *, lines: int) -> str:
        """The last lines that a container said."""

    def wait_job(self, name: str, *, tell: Callable[[str], None], deadline: Deadline) -> JobStatus:
        """Wait until the job is over; ``tell`` is told its newest line now and then."""

    def stop_job(self, name: str) -> None:
        """End the job (grace period, then kill) and leave its container for reading. Repeating is harmless."""

    def remove_job(self, name: str) -> None:
        """Remove the container of a job that is over. Repeating is harmless."""

    def stop_services(
        self,
        services: Sequence[str],
        *,
        deadline: Deadline,
        at_once: bool = False,
        meanwhile: Callable[[], bool] | None = None,
    ) -> None:
        """Restart policies off first, then stop who depends on another before it, each with its own grace period.

        What does not depend on one another is stopped side by side. ``at_once`` gives nobody a grace period.
        ``meanwhile`` is called again and again while they stop, until it returns False.
        """

    def start_services(
        self,
        project: FrozenProject,
        services: Sequence[str],
        pin: str,
        *,
        images: Mapping[str, str] | None = None,
        gate: Gate = Gate.OPEN,
        apart: bool = False,
        deadline: Deadline,
    ) -> None:
        """Bring these services up as frozen, with ``pin`` in the version variable; never pulls, never builds.

        ``images``: service → id of the image that its container must be of, whatever the name of that image leads to
        by now; ``image.missing`` where it is not on this host any more.

        Gate open: containers that are right already are started and get their restart policy of the frozen
        project back. Gate closed: they publish nothing, nobody but they themselves finds them by name, and
        nothing starts them again; a later start with the gate open replaces them. ``apart`` are services that
        were seen to be well with nothing around them but what they depend on: where they can be kept like that
        behind the gate, a later start with the gate open lets them out as they run. ``gate.impossible``.
        """

    def run_host_command(
        self, command: Sequence[str], *, environment: Mapping[str, str], log: Path, deadline: Deadline
    ) -> int:
        """Run the operator's own argv on the host, in the project's folder, without a shell; its exit code."""
