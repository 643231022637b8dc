"""The closed gate on the engine: services come up where nobody but themselves and this host reaches them.

Where they can be kept apart, opening it starts nothing anew (`isolated_network`); elsewhere they
are started
without anything that users could find, and once more with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from orchestrator.adapters.compose.command import Compose, start_command, up_command
from orchestrator.adapters.compose.isolated_network import prepare_room, take_out
from orchestrator.adapters.compose.public_start import read_folder, run_up
from orchestrator.adapters.compose.render_private import (
    Published,
    build_connections,
    build_gated_rendering,
    build_private_url,
    check_closable,
    choose_placeholders,
    find_networks,
    impossible,
    name_gated,
)
from orchestrator.adapters.compose.rendering import read_name
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.models import HOLD_LABEL, PROJECT_LABEL, Connection, ContainerDocument
from orchestrator.adapters.host.private_file import write_private
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import FrozenProject

_BRIDGE = "bridge"
_BESIDE_USERS = ("macvlan", "ipvlan")  # a container has an address of its own there, next to its users


def start_apart(
    engine: DockerEngine,
    compose: Compose,
    project: FrozenProject,
    services: Sequence[str],
    variables: Mapping[str, str],
    rendering: str,
    deadline: Deadline,
) -> bool:
    """Create the containers as users are to have them and start them in a network of their own; False if impossible.

    ``variables`` as in `start_open`.

    Raises:
        PlatformError: ``gate.impossible``, ``compose.failed``.
    """
    check_gate(engine, rendering, services)
    with ThreadPoolExecutor(max_workers=1) as aside:  # users wait for both
        reading = aside.submit(read_folder, compose, project, variables, rendering)
        circle = prepare_room(engine, rendering, services)
        if circle is None:
            return False
        folder = reading.result()
    file = run_up(engine, compose, project, services, variables, rendering, folder, deadline, start=False)
    stopped = take_out(engine, project, circle, deadline)
    if len(services) > 1:  # they may wait for one another
        start = start_command(project.directory, services, file=file, name=project.name)
        compose.run(start, project.directory, deadline=deadline)
    else:
        for container in stopped:
            engine.start_container(container)
    return True


def start_gated(
    engine: DockerEngine,
    compose: Compose,
    project: FrozenProject,
    services: Sequence[str],
    rendering: str,
    deadline: Deadline,
) -> None:
    """Create the containers, take their names out of their networks, and only then start them.

    Compose gives every container its service's name in its networks and can be told nothing else.

    Raises:
        PlatformError: ``gate.impossible``, ``compose.failed``.
    """
    check_gate(engine, rendering, services)
    remove_half_connected(engine, rendering, services)
    file = project.template.with_name("compose.gated.json")
    write_private(file, build_gated_rendering(rendering, services).encode())
    create = up_command(project.directory, services, file=file, name=project.name, start=False)
    compose.run(create, project.directory, deadline=deadline)
    connections = build_connections(rendering, services)
    _stop_running(engine, connections, deadline)
    for connection in connections:
        engine.reconnect_container(connection)
    start = start_command(project.directory, services, file=file, name=project.name)
    with _old_addresses_taken(engine, project.name, rendering, services):
        compose.run(start, project.directory, deadline=deadline)


def remove_half_connected(engine: DockerEngine, rendering: str, services: Sequence[str]) -> None:
    """Remove containers behind the gate that a run was cut off from connecting anew: they have never been started.

    What else Compose had given them in the network that they left is not known any more.
    """
    for service in services:
        name = name_gated(read_name(rendering), service)
        container = engine.find_container(name)
        if container is not None and not {*find_networks(rendering, service)} <= {*container.networks}:
            engine.remove_container(name)


# One that a start left at work which was cut off: the other ends of its connections would never hear that they are
# gone, and a session of nobody would keep the database from being fenced.
def _stop_running(engine: DockerEngine, connections: Sequence[Connection], deadline: Deadline) -> None:
    names = sorted({connection.container for connection in connections})
    found = [engine.find_container(name) for name in names]
    engine.stop_containers([one for one in found if one is not None and one.up], deadline)


# The engine gives out the lowest free address: that of the container which was stopped, and which a proxy may
# still remember for its name (nginx does until it is reloaded). An image without `sleep` cannot hold it.
@contextmanager
def _old_addresses_taken(engine: DockerEngine, project: str, rendering: str, services: Sequence[str]) -> Iterator[None]:
    down = [one for one in engine.find_containers({PROJECT_LABEL: project}) if not one.up]
    images = choose_placeholders(rendering, services)
    wanted = [network for network in images for one in down if network in one.networks]
    names = [f"{project}-gate-holds-{number}" for number, _ in enumerate(wanted, 1)]
    try:
        with suppress(PlatformError):
            for name, network in zip(names, wanted, strict=True):
                engine.end_placeholder(name)
                engine.start_placeholder(name, images[network], network, {HOLD_LABEL: project})
        yield
    finally:
        for name in names:
            engine.end_placeholder(name)


def is_gated(engine: DockerEngine, project: str, services: Sequence[str]) -> bool:
    """Whether containers of these services were made to be started behind the gate, and once more to open it."""
    return any(engine.find_container(name_gated(project, service)) is not None for service in services)


def check_gate(engine: DockerEngine, rendering: str, services: Sequence[str]) -> None:
    """See `Workloads.check_gate`."""
    check_closable(rendering, services)
    for service in services:
        for network in find_networks(rendering, service):
            driver = engine.find_network_driver(network)
            if driver in _BESIDE_USERS:
                raise impossible(service, f"its network {network} is a {driver}, where users reach it by its address")


def build_url_past_gate(
    engine: DockerEngine, published: Published, containers: Sequence[ContainerDocument], url: str
) -> str:
    """The address of a service's port as this host reaches it, with path and query of ``url``.

    Raises:
        PlatformError: ``gate.no_address``.
    """
    for container in containers:
        for name, network in sorted(container.networks.items()):
            if network.address and engine.find_network_driver(name) == _BRIDGE:
                return build_private_url(url, network.address, published.port)
    found = [f"{one.state.status} (exit code {one.state.exit_code})" for one in containers]
    raise PlatformError(
        "gate.no_address",
        f"Service {published.service} has no address at which this host reaches it:"
        f" its container is {', '.join(found) or 'not there'}.",
        impact=f"Whether the app would answer at {urlsplit(url).path or '/'} is not known.",
    )
