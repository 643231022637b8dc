"""The fake of the platform port."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import CommandError, PlatformError, RefusedError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.foresight import Neighbourhood, Obstacle, Peer, PlannedUse
from orchestrator.core.model.images import Pin
from orchestrator.core.model.workloads import Difference, Drift, EngineInfo, Gate, JobStatus, ServiceStatus
from tests.tools.images import give_name
from tests.tools.jobs import FakeJobs, write_private
from tests.tools.outside import PRIVATE_HOST
from tests.tools.things import Condition, FakeContainer, FakeImage
from tests.tools.world import FakeWorld, address_of

_STOP_S = 0.5


class FakeWorkloads:
    """`Workloads` on the world's containers and images."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world
        self._jobs = FakeJobs(world)

    def inspect_engine(self) -> EngineInfo:
        self._world.script.look("workloads.inspect_engine")
        return EngineInfo(
            engine_id=self._world.engine_id,
            summary="Docker 28.0.1 on amd64, Compose 2.33.0",
            architecture="amd64",
            free_bytes=self._world.engine_free_bytes,
        )

    def read_engine_id(self) -> str:
        self._world.script.look("workloads.read_engine_id")
        return self._world.engine_id

    def adopt(self, project: FrozenProject) -> None:
        self._world.script.look("workloads.adopt")

    # --- the project's files

    def freeze(self, directory: Path) -> FrozenProject:
        world = self._world
        with world.script.effect("workloads.freeze"):
            world.edited.clear()
            template = directory / "compose.template.json"
            rendered = {
                "name": world.project_name,
                "image": f"{world.repository}:__PIN__",
                "restart": world.restart_policy,
            }
            content = json.dumps(rendered).encode()
            write_private(template, content)
            write_private(directory / "env", f"APP_VERSION={world.pin}\nPASSWORD=s3cret\n".encode())
            return FrozenProject(
                name=world.project_name,
                directory=world.project_directory,
                template=template,
                template_sha256=hashlib.sha256(content).hexdigest(),
                pin_text=world.pin,
                services=world.services,
                variable="APP_VERSION",
            )

    def forget_project(self, directory: Path) -> None:
        with self._world.script.effect("workloads.forget_project", directory.name):
            for name in ("env", "compose.template.json"):
                (directory / name).unlink(missing_ok=True)

    def find_edits(self, project: FrozenProject) -> tuple[str, ...]:
        self._world.script.look("workloads.find_edits")
        return tuple(self._world.edited)

    def find_obstacles(self, project: FrozenProject, use: PlannedUse) -> tuple[Obstacle, ...]:
        self._world.script.look("workloads.find_obstacles")
        services = {**use.named, **{one.place: (one.service,) for one in use.commands if one.service is not None}}
        unknown = [
            Obstacle(code="service.unknown", what=f"`{place}` names the service {name}, and there is none.")
            for place, names in services.items()
            for name in names
            if name not in self._world.containers
        ]
        programs = [
            Obstacle(code="command.not_started", what=f"`{one.place}` could not start {one.argv[0]}.")
            for one in use.commands
            if one.service is None and one.argv[0] not in self._world.host_commands
        ]
        return (*unknown, *programs)

    def check_pin_writable(self) -> None:
        self._world.script.look("workloads.check_pin_writable")
        self._check_pin_writable()

    def read_pin(self) -> str:
        self._world.script.look("workloads.read_pin")
        return self._world.pin

    def write_pin(self, text: str) -> None:
        with self._world.script.effect("workloads.write_pin", text):
            self._check_pin_writable()
            self._world.pin = text

    def find_drift(
        self,
        project: FrozenProject | None,
        *,
        pin: str | None = None,
        services: Sequence[str] | None = None,
        gate: Gate = Gate.OPEN,
    ) -> Drift:
        world = self._world
        world.script.look("workloads.find_drift")
        text = pin or (project.pin_text if project else world.pin)
        found = list(world.drift)
        for name, container in world.containers.items():
            if name in (services or world.services) and container.state == "running":
                made = {"image": f"{world.repository}:{text}", "restart policy": world.restart_policy}
                there = {"image": container.reference, "restart policy": container.restart_policy}
                found += [
                    Difference(service=name, item=item, running=there[item], rendered=made[item])
                    for item in made
                    if there[item] != made[item] and not (item == "restart policy" and gate is Gate.CLOSED)
                ]
        kept = tuple(one for one in found if services is None or one.service in services)
        return Drift(differences=kept, hint="Make them agree." if kept and services is None else "")

    def check_name(self, services: Sequence[str]) -> None:
        self._world.script.look("workloads.check_name")
        if self._world.other_name:
            raise RefusedError("refused.other_name", f"It runs as {self._world.other_name}.")

    # --- images

    def inspect_neighbourhood(self, service: str) -> Neighbourhood:
        self._world.script.look("workloads.inspect_neighbourhood")
        peers = [
            Peer(name=f"the service {name}", cure=f"Stop {name}.", service=name, addresses=(address_of(name),))
            for name, container in self._world.containers.items()
            if name != service and container.state == "running"
        ]
        peers += self._world.neighbours
        inside = Peer(name=f"a program inside the container of {service}", cure="Let it end.")
        outside = Peer(name="a program of this host", cure="Let it end.")
        return Neighbourhood(inside=inside, outside=outside, peers=tuple(peers), gateways=("172.30.0.1",))

    # --- services

    def inspect_services(self, services: Sequence[str]) -> tuple[ServiceStatus, ...]:
        self._world.script.look("workloads.inspect_services")
        found = (self._world.containers.get(service) for service in services)
        return tuple(self._to_status(container) for container in found if container)

    def stop_services(
        self,
        services: Sequence[str],
        *,
        deadline: Deadline,
        at_once: bool = False,
        meanwhile: Callable[[], bool] | None = None,
    ) -> None:
        with self._world.script.effect("workloads.stop_services", *services):
            found = [self._world.containers[name] for name in services if name in self._world.containers]
            for container in found:
                container.restart_policy = "no"
            for container in found:
                if container.state == "running":
                    container.dying = True  # whether anybody waits for it or not
                    self._await_end(deadline, 0.0 if at_once else _STOP_S, meanwhile)
                    container.state, container.exit_code, container.dying = "exited", 0, False

    # Like a program that does not hear the signal: it answers until it is killed.
    def _await_end(self, deadline: Deadline, seconds: float, meanwhile: Callable[[], bool] | None) -> None:
        asks = meanwhile is not None and meanwhile()
        deadline.pause(seconds)
        if asks and meanwhile is not None:
            meanwhile()

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
        with self._world.script.effect("workloads.start_services", *services, pin, gate):
            deadline.check()
            held = {service: self._hold(pin, image_id) for service, image_id in (images or {}).items()}
            if gate is Gate.CLOSED:
                self._check_closable()
            for service in services:
                image = self._image_as_frozen(project, pin, held.get(service, ""))
                reference = held.get(service, f"{self._world.repository}:{pin}")
                self._start(project, service, image, reference, gate, apart=apart)
            down = [service for service in services if self._world.containers[service].state != "running"]
            if down:
                raise PlatformError("service.not_running", f"Started, but not running any more: {', '.join(down)}.")

    def check_gate(self, project: FrozenProject, services: Sequence[str]) -> None:
        self._world.script.look("workloads.check_gate")
        self._check_closable()

    def find_private_url(self, project: FrozenProject, url: str, services: Sequence[str]) -> str | None:
        self._world.script.look("workloads.find_private_url")
        address = urlsplit(url)
        direct = address.scheme == "http" and address.port == self._world.published_port
        proxied = "." in (address.hostname or "") and address.port != self._world.published_port
        if not (direct or proxied):
            return None
        container = self._world.containers.get(services[0])
        if container is None or container.state != "running":
            raise PlatformError("gate.no_address", f"The container of {services[0]} does not run.")
        return address._replace(scheme="http", netloc=f"{PRIVATE_HOST}:{self._world.published_port}").geturl()

    def read_logs(self, container_id: str, *, lines: int) -> str:
        self._world.script.look("workloads.read_logs")
        container = next((one for one in self._world.containers.values() if one.container_id == container_id), None)
        if container is None:
            raise PlatformError("service.unknown", f"There is no container {container_id}.")
        said = [f"{container.service} of {container.reference} starts", self._world.condition(container).name]
        return "\n".join(said[-lines:])

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
        with self._world.script.effect("workloads.start_job", name, *command, pin):
            deadline.check()
            self._jobs.start(name, command, self._image_as_frozen(project, pin), run_id)

    def inspect_job(self, name: str) -> JobStatus | None:
        self._world.script.look("workloads.inspect_job")
        return self._jobs.inspect(name)

    def wait_job(self, name: str, *, tell: Callable[[str], None], deadline: Deadline) -> JobStatus:
        self._world.script.look("workloads.wait_job")
        return self._jobs.wait(name, deadline, tell)

    def stop_job(self, name: str) -> None:
        with self._world.script.effect("workloads.stop_job", name):
            self._jobs.stop(name)

    def end_jobs(self, run_id: str) -> None:
        with self._world.script.effect("workloads.end_jobs", run_id):
            for job in self._world.jobs.values():
                if job.run_id == run_id and job.running:
                    self._jobs.stop(job.name)

    def save_job_log(self, name: str, path: Path) -> str:
        with self._world.script.effect("workloads.save_job_log", name):
            return self._jobs.save_log(name, path)

    def remove_job(self, name: str) -> None:
        with self._world.script.effect("workloads.remove_job", name):
            self._jobs.remove(name)

    def run_host_command(
        self, command: Sequence[str], *, environment: Mapping[str, str], log: Path, deadline: Deadline
    ) -> int:
        with self._world.script.effect("workloads.run_host_command", *command):
            deadline.check()
            run = self._world.host_commands.get(command[0])
            if run is None:
                raise CommandError("command.not_started", f"The command {command[0]} cannot be started.")
            write_private(log, f"{' '.join(command)}\n".encode())
            return run(environment)

    # --- how

    def _check_closable(self) -> None:
        if self._world.gate_problem:
            raise PlatformError("gate.impossible", self._world.gate_problem)

    def _check_pin_writable(self) -> None:
        if not self._world.pin_writable:
            raise PlatformError("env.not_writable", "The .env file cannot be replaced.")

    def _hold(self, pin: str, image_id: str) -> str:
        """The name under which the image is found; a tag that leads elsewhere is given back to it."""
        world, reference = self._world, f"{self._world.repository}:{pin}"
        image, found = world.find_image(image_id), world.find_image(reference)
        if image is None:
            raise PlatformError("image.missing", f"The image {reference}, which ran as {image_id}, is not here.")
        if found is image:
            return reference
        named = f"{world.repository}:{Pin.parse(pin).tag}"
        displaced = world.find_image(named)
        if displaced is not None and displaced is not image:
            give_name(self._world, displaced, f"upgrade-orchestrator/displaced:{displaced.image_id[-12:]}")
        give_name(self._world, image, named)
        return named

    def _image_as_frozen(self, project: FrozenProject, pin: str, reference: str = "") -> FakeImage:
        if hashlib.sha256(project.template.read_bytes()).hexdigest() != project.template_sha256:
            raise PlatformError("compose.template_changed", f"{project.template} is not what was frozen.")
        image = self._world.find_image(reference) if reference else self._world.pinned_image(pin)
        if image is None:
            raise PlatformError("image.missing", f"The image {reference or pin} is not here.")
        return image

    def _start(
        self, project: FrozenProject, service: str, image: FakeImage, reference: str, gate: Gate, *, apart: bool
    ) -> None:
        world, gated = self._world, gate is Gate.CLOSED
        container = world.containers.get(service)
        if container is not None and container.apart and container.image is image and not gated:
            container.gated = container.apart = False
        if (
            container is None
            or container.image is not image
            or (container.reference, container.gated) != (reference, gated)
        ):
            container = FakeContainer(f"{service}-{world.number()}", service, image, reference, 0.0, state="created")
            container.gated, container.apart = gated, gated and apart
            world.containers[service] = container
        container.restart_policy = "no" if gated else json.loads(project.template.read_bytes())["restart"]
        if container.state != "running":
            world.start_container(container)
        if container.dying:
            container.state, container.dying = "exited", False

    def _to_status(self, container: FakeContainer) -> ServiceStatus:
        condition = self._world.condition(container)
        release = container.image.release
        crashing = container.state == "running" and condition is Condition.DOWN
        return ServiceStatus(
            service=container.service,
            container_id=container.container_id,
            image_id=container.image.image_id,
            image_reference=container.reference,
            digests=(container.image.digest,),
            version_label=release.version.removeprefix("v") if release else None,
            state="restarting" if crashing else container.state,
            health=condition.value,
            restart_count=self._world.restarts(container),
            exit_code=1 if crashing else container.exit_code,
            restart_policy=container.restart_policy,
            addresses=(address_of(container.service),) if container.state == "running" else (),
        )
