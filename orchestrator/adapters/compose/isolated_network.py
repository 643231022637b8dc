"""The closed gate that needs no second start: services come up in a network of their own and are let out of it later.

The engine publishes the ports of a container once it is in a network that leads out, and not before. So the containers
are made as their users are to have them, with ports, names and labels, and only their networks are held back.

The network stays when the gate is open, with what the services depend on in it: their connections to the database
lead through it, and would break. A later start of another kind removes it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter, ValidationError

from orchestrator.adapters.compose.isolated_groups import IsolatedGroup, find_circle
from orchestrator.adapters.compose.rendering import parse_rendering, read_services
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.models import (
    GATE_LABEL,
    ONE_OFF_LABEL,
    PROJECT_LABEL,
    SERVICE_LABEL,
    ContainerDocument,
    ListedDocument,
)
from orchestrator.adapters.host.private_file import write_private
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.files import read_file

Names = dict[str, tuple[str, ...]]  # network → the names of a container there

_BRIDGE = "bridge"
_SOCKET = "docker.sock"
_NOTES = TypeAdapter(dict[str, Names])  # container id → what it is taken out of


def prepare_room(engine: DockerEngine, rendering: str, services: Sequence[str]) -> IsolatedGroup | None:
    """Make a network of their own for these services, with what they depend on; None where they need the other way."""
    circle = find_circle(rendering, services)
    listed = engine.list_containers()
    if circle is None or not is_undisturbed(circle, listed):
        return None
    # Not there, or made otherwise than the rendering says.
    if any(engine.find_network_driver(name) != _BRIDGE for name in circle.networks):
        return None
    try:
        _assemble(engine, circle, listed)
    except PlatformError as error:
        if error.code != "engine.refused":  # no addresses are left for one more network
            raise
        return None
    return circle


def is_undisturbed(circle: IsolatedGroup, listed: Iterable[ListedDocument]) -> bool:
    """Whether nobody could reach these services but their company, of all the containers of the engine.

    What has the network of the host and listens to the engine may be a proxy that takes in whatever starts.
    """
    for one in listed:
        if one.networks & circle.networks and not one.is_of(circle.project, {*circle.services, *circle.dependencies}):
            return False
        if one.on_host and any(PurePosixPath(source).name == _SOCKET for source in one.sources):
            return False
    return True


def take_out(
    engine: DockerEngine, project: FrozenProject, circle: IsolatedGroup, deadline: Deadline
) -> list[ContainerDocument]:
    """Take the containers out of the networks of their users; nothing starts them again by itself. Returns them all."""
    found = _find_containers(engine, project.name, circle.services)
    notes = _read_notes(project)
    strange = [one for one in found if one.id not in notes and one.up]  # somebody else has started them
    engine.stop_containers(strange, deadline)
    notes |= {one.id: _note(one, circle) for one in found if one.id not in notes}
    # Once they are out of a network, what they were in it is not known any more.
    write_private(_notes_path(project), _NOTES.dump_json(notes))
    for container in found:
        engine.set_restart_policy(container.id, "no")
        for network in sorted(circle.networks & {*container.networks}):
            engine.disconnect_container(container.id, network)
        if circle.name not in container.networks:
            names = dict.fromkeys(name for known in notes[container.id].values() for name in known)
            engine.connect_container(container.id, circle.name, list(names))
    return found


def let_out(engine: DockerEngine, project: FrozenProject, rendering: str, services: Sequence[str]) -> bool:
    """Open the gate for services that run apart as this run has left them; False where Compose has to."""
    notes, images = _read_notes(project), _read_images(rendering)
    if not notes:
        return False
    found = _find_containers(engine, project.name, services)
    ready = [one for one in found if one.id in notes and _is_right(one, images) and one.state.status == "running"]
    if ready != found or {one.labels[SERVICE_LABEL] for one in ready} != {*services}:
        return False
    try:
        for container in ready:
            for network, names in sorted(notes[container.id].items()):
                if network not in container.networks:
                    engine.connect_container(container.id, network, names)
    except PlatformError as error:
        if error.code != "engine.refused":
            raise
        return False
    return all(one.published for one in _find_containers(engine, project.name, services))


def clear_apart(engine: DockerEngine, project: FrozenProject, rendering: str, services: Sequence[str]) -> None:
    """Remove containers that Compose would take for right and start, but that are kept from their users."""
    circle, images = find_circle(rendering, services), _read_images(rendering)
    if circle is None or not engine.find_networks({GATE_LABEL: project.name}):
        return
    for container in _find_containers(engine, project.name, services):
        apart = not circle.networks <= {*container.networks}
        if _is_right(container, images) and (apart or (container.up and not container.published)):
            engine.destroy_container(container.id)


def dissolve(engine: DockerEngine, project: FrozenProject, rendering: str, services: Sequence[str]) -> None:
    """Remove the network of a gate in which there is nothing any more but what such services depend on."""
    circle = find_circle(rendering, services)
    for name in engine.find_networks({GATE_LABEL: project.name}):
        members = [one for one in engine.list_containers() if name in one.networks]
        if circle is None or not all(one.is_of(project.name, circle.dependencies) for one in members):
            continue
        for member in members:
            engine.disconnect_container(member.id, name)
        engine.remove_network(name)


def _assemble(engine: DockerEngine, circle: IsolatedGroup, listed: Iterable[ListedDocument]) -> None:
    if circle.name not in engine.find_networks({GATE_LABEL: circle.project}):
        engine.create_inner_network(circle.name, {GATE_LABEL: circle.project, PROJECT_LABEL: circle.project})
    for one in listed:
        if one.is_of(circle.project, circle.dependencies) and circle.name not in one.networks:
            container = engine.find_container(one.id)
            names = [name for ties in container.networks.values() for name in ties.aliases] if container else []
            engine.connect_container(one.id, circle.name, list(dict.fromkeys(names)))


def _find_containers(engine: DockerEngine, project: str, services: Sequence[str]) -> list[ContainerDocument]:
    labels = {PROJECT_LABEL: project, ONE_OFF_LABEL: "False"}
    return [one for service in services for one in engine.find_containers({**labels, SERVICE_LABEL: service})]


def _note(container: ContainerDocument, circle: IsolatedGroup) -> Names:
    return {name: ties.aliases for name, ties in container.networks.items() if name in circle.networks}


def _read_images(rendering: str) -> dict[str, str]:
    known = read_services(parse_rendering(rendering))
    return {service: str(known[service].get("image")) for service in known}


def _is_right(container: ContainerDocument, images: dict[str, str]) -> bool:
    return container.config.image == images.get(container.labels[SERVICE_LABEL])


def _notes_path(project: FrozenProject) -> Path:
    return project.template.with_name("compose.apart.json")


def _read_notes(project: FrozenProject) -> dict[str, Names]:
    try:
        return _NOTES.validate_json(read_file(_notes_path(project), follow=False))
    except (FileNotFoundError, ValidationError):
        return {}
