"""A Compose project in a folder, as `orchestrator.core.ports.workloads.Workloads`."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from orchestrator.adapters.compose.command import Compose, job_command
from orchestrator.adapters.compose.dependencies import order_stops
from orchestrator.adapters.compose.drift.finding import DriftFinder, find_frozen
from orchestrator.adapters.compose.drift.naming import check_name, tell_origin
from orchestrator.adapters.compose.frozen import read_frozen
from orchestrator.adapters.compose.gate import build_url_past_gate, check_gate, start_apart, start_gated
from orchestrator.adapters.compose.jobs import Jobs, keep_tail
from orchestrator.adapters.compose.neighbours import find_neighbourhood
from orchestrator.adapters.compose.pin_file import PinFile
from orchestrator.adapters.compose.planned_names import Lookup, find_obstacles, read_profiles
from orchestrator.adapters.compose.project_files import find_changed, read_marks
from orchestrator.adapters.compose.public_start import start_open
from orchestrator.adapters.compose.ran_images import hold_images
from orchestrator.adapters.compose.render_private import find_published
from orchestrator.adapters.compose.rendering import (
    PLACEHOLDER,
    build_job_project,
    build_template,
    check_template,
    fill_template,
    find_differing,
    is_same_project,
    parse_rendering,
    read_name,
    read_restart_policy,
)
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.models import (
    FOLDER_LABEL,
    ONE_OFF_LABEL,
    PROJECT_LABEL,
    SERVICE_LABEL,
    ContainerDocument,
)
from orchestrator.adapters.host.private_file import write_private
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.foresight import Neighbourhood, Obstacle, PlannedUse
from orchestrator.core.model.workloads import Drift, EngineInfo, Gate, JobStatus, ServiceStatus

_RENDERING = "what Compose reads of the project"
_KILLED = {137, 143}  # exit codes after SIGKILL, as the kernel sends it for want of memory, and SIGTERM
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class ComposeProject:
    """``directory`` holds the compose file and ``.env``; ``services`` follow the ``variable`` in it."""

    def __init__(
        self, directory: Path, services: Sequence[str], variable: str, engine: DockerEngine, compose: Compose
    ) -> None:
        self._directory = directory.absolute()
        self._services = tuple(services)
        self._variable = variable
        self._engine = engine
        self._compose = compose
        self._pin = PinFile(self._directory / ".env", variable)
        self._jobs = Jobs(engine, compose.mask)
        self._name: str | None = None
        self._live: str | None = None

    def name(self) -> str:
        """The name of the project on the engine: as Compose makes it, or failing that as its containers bear it."""
        if self._name is None:
            try:
                self._live = self._render(None)
                self._name = read_name(self._live)
            except PlatformError:
                found = self._engine.find_containers({FOLDER_LABEL: str(self._directory)})
                if not found:
                    raise
                self._name = found[0].labels[PROJECT_LABEL]
        return self._name

    # --- the engine and the project's files

    def inspect_engine(self) -> EngineInfo:
        """See `Workloads.inspect_engine`."""
        engine = self._engine.inspect()
        architecture = _ARCHITECTURES.get(engine.architecture, engine.architecture)
        return EngineInfo(
            engine_id=engine.id,
            summary=f"Docker {engine.server_version} on {architecture}, Compose {self._compose.read_version()}",
            architecture=architecture,
            free_bytes=self._engine.free_bytes(engine.docker_root_dir),
        )

    def read_engine_id(self) -> str:
        """See `Workloads.read_engine_id`."""
        return self._engine.inspect().id

    def adopt(self, project: FrozenProject) -> None:
        """See `Workloads.adopt`."""
        self._name = project.name

    def freeze(self, directory: Path) -> FrozenProject:
        """See `Workloads.freeze`; beside the rendering, ``env`` is a copy of the ``.env``."""
        try:
            return self._freeze(directory)
        except PlatformError as error:
            raise tell_origin(error, self._engine, self._directory) from error

    def _freeze(self, directory: Path) -> FrozenProject:
        pin_text = self._pin.read()
        template = build_template(self._render(PLACEHOLDER), self._variable, pin_text)
        check_template(template, self._services, self._variable)
        self._check_substitution(template, pin_text)
        path = directory / "compose.template.json"
        write_private(path, template.encode())
        write_private(directory / "env", self._pin.read_file())
        self._name = read_name(template)
        return FrozenProject(
            name=self._name,
            directory=self._directory,
            template=path,
            template_sha256=hashlib.sha256(template.encode()).hexdigest(),
            pin_text=pin_text,
            services=self._services,
            files=read_marks(self._directory, self._variable),
            variable=self._variable,
        )

    def forget_project(self, directory: Path) -> None:
        """See `Workloads.forget_project`."""
        try:
            for path in (directory / "env", *directory.glob("compose.*.json")):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise PlatformError(
                "compose.not_removed", f"The frozen project in {directory} cannot be removed: {error.strerror}."
            ) from error

    def find_edits(self, project: FrozenProject) -> tuple[str, ...]:
        """See `Workloads.find_edits`."""
        changed = find_changed(project.files, project.directory, self._variable) if project.files else ()
        if changed:
            return changed
        template = build_template(self._render(PLACEHOLDER), self._variable, self._pin.read())
        return () if is_same_project(template, read_frozen(project)) else (_RENDERING,)

    def find_obstacles(self, project: FrozenProject, use: PlannedUse) -> tuple[Obstacle, ...]:
        """See `Workloads.find_obstacles`."""
        at = Lookup(
            rendering=self._fill(project, use.pin),
            template=read_frozen(project),
            released=self._services,
            folder=self._directory,
            search_path=self._compose.search_path,
            read_hidden=self._read_profiles,
            is_here=lambda image: self._engine.find_image(image) is not None,
        )
        return find_obstacles(use, at)

    # Only asked where a service was not found without.
    def _read_profiles(self) -> Mapping[str, Sequence[str]]:
        with suppress(PlatformError):
            return read_profiles(self._compose.render(self._directory, {"COMPOSE_PROFILES": "*"}))
        return {}

    def check_pin_writable(self) -> None:
        """See `Workloads.check_pin_writable`."""
        self._pin.check_writable()

    def read_pin(self) -> str:
        """See `Workloads.read_pin`."""
        return self._pin.read()

    def write_pin(self, text: str) -> None:
        """See `Workloads.write_pin`."""
        self._pin.write(text)

    # --- what runs against what would be started

    def find_drift(
        self,
        project: FrozenProject | None,
        *,
        pin: str | None = None,
        services: Sequence[str] | None = None,
        gate: Gate = Gate.OPEN,
    ) -> Drift:
        """See `Workloads.find_drift`."""
        if project is None:  # a command that only looks: the rendering by which it knows the project is as good
            return DriftFinder(self._engine, self._compose, self._directory, {}).find(self._live or self._render(None))
        text, gated = project.pin_text if pin is None else pin, gate is Gate.CLOSED
        rendering, variables = self._fill(project, text), {self._variable: text}
        return find_frozen(self._engine, self._compose, project, rendering, variables, services, gated=gated)

    def check_name(self, services: Sequence[str]) -> None:
        """See `Workloads.check_name`."""
        check_name(self._engine, self.name(), self._directory, services)

    # --- services

    def inspect_services(self, services: Sequence[str]) -> tuple[ServiceStatus, ...]:
        """See `Workloads.inspect_services`."""
        found = self._containers(services)
        return tuple(container.to_status(self._engine.find_image(container.image)) for container in found)

    def inspect_neighbourhood(self, service: str) -> Neighbourhood:
        """See `Workloads.inspect_neighbourhood`."""
        return find_neighbourhood(self._engine, self.name(), service)

    def stop_services(
        self,
        services: Sequence[str],
        *,
        deadline: Deadline,
        at_once: bool = False,
        meanwhile: Callable[[], bool] | None = None,
    ) -> None:
        """See `Workloads.stop_services`."""
        found = self._containers(services)
        for container in found:  # all before the first stop: one that is restarted meanwhile would be missed
            self._engine.set_restart_policy(container.id, "no")
        for group in order_stops([container for container in found if container.up]):
            self._engine.stop_containers(group, deadline, at_once=at_once, meanwhile=meanwhile)

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
        """See `Workloads.start_services`."""
        self._name = project.name
        rendering = hold_images(self._engine, self._fill(project, pin), images or {})
        variables = {self._variable: pin}
        if gate is Gate.CLOSED:
            if not (
                apart and start_apart(self._engine, self._compose, project, services, variables, rendering, deadline)
            ):
                start_gated(self._engine, self._compose, project, services, rendering, deadline)
        else:
            start_open(self._engine, self._compose, project, services, variables, rendering, deadline)
            self._restore_policies(services, rendering)
        self._check_running(services)

    def check_gate(self, project: FrozenProject, services: Sequence[str]) -> None:
        """See `Workloads.check_gate`."""
        check_gate(self._engine, self._fill(project, project.pin_text), services)

    def find_private_url(self, project: FrozenProject, url: str, services: Sequence[str]) -> str | None:
        """See `Workloads.find_private_url`."""
        found = find_published(self._fill(project, project.pin_text), services, url)
        if found is None:
            return None
        return build_url_past_gate(self._engine, found, self._containers([found.service]), url)

    def read_logs(self, container_id: str, *, lines: int) -> str:
        """See `Workloads.read_logs`."""
        with closing(self._engine.read_log(container_id, lines=lines)) as chunks:
            return keep_tail(self._compose.mask.stream(chunks)).decode(errors="replace")

    # --- jobs

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
        """See `Workloads.start_job`."""
        if self._engine.find_container(name) is not None:
            raise PlatformError("job.exists", f"There is a container named {name} already.")
        file = project.template.with_name(f"compose.{name}.json")
        rendering = build_job_project(
            self._fill(project, pin), command[0], log_driver=self._engine.inspect().logging_driver
        )
        write_private(file, rendering.encode())
        argv = job_command(project.directory, name, command, file=file, name=project.name, run_id=run_id)
        self._compose.run(argv, project.directory, deadline=deadline)

    def inspect_job(self, name: str) -> JobStatus | None:
        """See `Workloads.inspect_job`."""
        return self._jobs.inspect(name)

    def wait_job(self, name: str, *, tell: Callable[[str], None], deadline: Deadline) -> JobStatus:
        """See `Workloads.wait_job`."""
        return self._jobs.wait(name, deadline, tell)

    def stop_job(self, name: str) -> None:
        """See `Workloads.stop_job`."""
        self._jobs.stop(name)

    def end_jobs(self, run_id: str) -> None:
        """See `Workloads.end_jobs`."""
        self._jobs.end_all(run_id)

    def save_job_log(self, name: str, path: Path) -> str:
        """See `Workloads.save_job_log`."""
        return self._jobs.save_log(name, path)

    def remove_job(self, name: str) -> None:
        """See `Workloads.remove_job`."""
        self._jobs.remove(name)

    def run_host_command(
        self, command: Sequence[str], *, environment: Mapping[str, str], log: Path, deadline: Deadline
    ) -> int:
        """See `Workloads.run_host_command`."""
        return self._compose.run_command(command, self._directory, variables=environment, log=log, deadline=deadline)

    # --- how

    def _render(self, pin: str | None) -> str:
        return self._compose.render(self._directory, {} if pin is None else {self._variable: pin})

    def _check_substitution(self, template: str, pin_text: str) -> None:
        filled, live = fill_template(template, pin_text), self._render(None)
        if not is_same_project(filled, live):
            places = find_differing(parse_rendering(filled), parse_rendering(live))
            raise PlatformError(
                "env.variable_unused",
                f"The project set from outside to the {self._variable} of its .env is not the same project: it differs"
                f" in {', '.join(places)}.",
                hint=f"Let only `image:` depend on {self._variable}, and set it once, as plain text.",
            )

    def _fill(self, project: FrozenProject, pin: str) -> str:
        return fill_template(read_frozen(project), pin)

    # Compose does not see a policy that was changed behind its back.
    def _restore_policies(self, services: Sequence[str], rendering: str) -> None:
        for container in self._containers(services):
            policy = read_restart_policy(rendering, container.labels[SERVICE_LABEL])
            self._engine.set_restart_policy(container.id, policy.name, policy.attempts)

    def _check_running(self, services: Sequence[str]) -> None:
        found = {one.labels[SERVICE_LABEL]: one for one in self._containers(services)}
        missing = [service for service in services if service not in found or not found[service].up]
        if missing:
            ended = [found[service].state.exit_code for service in missing if service in found]
            told = f" (exit code {', '.join(map(str, ended))})" if ended else ""
            raise PlatformError(
                "service.killed" if set(ended) & _KILLED else "service.not_running",
                f"Started, but not running any more: {', '.join(missing)}{told}.",
                hint="`docker compose logs` in the project's folder shows why.",
            )

    def _containers(self, services: Sequence[str]) -> tuple[ContainerDocument, ...]:
        found: list[ContainerDocument] = []
        for service in services:
            labels = {PROJECT_LABEL: self.name(), SERVICE_LABEL: service, ONE_OFF_LABEL: "False"}
            found += self._engine.find_containers(labels)
        return tuple(found)

    # The name must be found even when somebody has broken the compose file meanwhile: going back needs it.
