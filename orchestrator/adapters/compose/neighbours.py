"""Who can be connected to a service's container: the containers around it, each as its operator knows it."""

import re
from collections.abc import Sequence

from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.models import (
    ONE_OFF_LABEL,
    PROJECT_LABEL,
    SERVICE_LABEL,
    ContainerDocument,
    ListedDocument,
)
from orchestrator.core.foresight import Neighbourhood, Peer

_LOOPBACK = ("127.0.0.1", "::1")
_ID = re.compile(r"[0-9a-f]{12}")
_PLACES = ("HOST", "SERVER", "ADDR", "URL", "URI", "DSN")


def find_neighbourhood(engine: DockerEngine, project: str, service: str) -> Neighbourhood:
    """All that run on the engine, with the networks of a service's container.

    Raises:
        PlatformError: the engine cannot be asked.
    """
    listed = [one for one in engine.list_containers() if one.state == "running"]
    servers = [one for one in listed if one.is_of(project, (service,))]
    networks = frozenset(name for one in servers for name in one.networks)
    names = _find_names(engine, servers, service)
    peers = [
        build_peer(one, project, _find_addresses(one, listed), names_it=_is_named(engine, one, networks, names))
        for one in listed
        if one not in servers
    ]
    return build_neighbourhood(servers, service, peers)


def build_neighbourhood(servers: Sequence[ListedDocument], service: str, peers: Sequence[Peer]) -> Neighbourhood:
    """What is around the server's container, and inside of it."""
    container = servers[0].name if servers else service
    inside = Peer(
        name=f"a program inside the container {container}",
        cure="Let it end: somebody has begun it there with `docker exec`.",
        addresses=_LOOPBACK,
    )
    outside = Peer(
        name="a program of this host, or somebody at a published port",
        cure="Let it end, or end it with pg_terminate_backend.",
    )
    gateways = tuple(dict.fromkeys(text for one in servers for end in one.endpoints for text in end.gateways))
    return Neighbourhood(inside=inside, outside=outside, peers=tuple(peers), gateways=gateways)


def build_peer(container: ListedDocument, project: str, addresses: Sequence[str], *, names_it: bool) -> Peer:
    """A container as its operator knows it."""
    labels = container.labels or {}
    service, owner = labels.get(SERVICE_LABEL, ""), labels.get(PROJECT_LABEL, "")
    stop = f"Stop it for the upgrade: `docker stop {container.name}`."
    if owner == project and labels.get(ONE_OFF_LABEL) == "False":
        name = f"the service {service} (container {container.name})"
        cure = f"List it under `target: disconnect: [{service}]`, or stop it: `docker compose stop {service}`."
        return Peer(
            name=name,
            cure=cure,
            service=service,
            addresses=tuple(addresses),
            on_host_network=container.on_host,
            names_it=names_it,
        )
    if owner == project:
        name = f"the one-off container {container.name} of the service {service}"
    elif owner:
        name = f"the container {container.name} (service {service} of the project {owner})"
    else:
        name = f"the container {container.name}"
    return Peer(name=name, cure=stop, addresses=tuple(addresses), on_host_network=container.on_host, names_it=names_it)


def is_place(variable: str, names: Sequence[str]) -> bool:
    """Whether ``NAME=value`` says that a server is found under one of these names."""
    name, _, value = variable.partition("=")
    if value in names:
        return any(word in name.upper() for word in _PLACES)
    alternatives = "|".join(re.escape(one) for one in names)
    pattern = rf"(?:(?:^|@|//|\bhost=)(?:{alternatives}):\d+|(?:@|//|\bhost=)(?:{alternatives})(?:[/?\s'\"]|$))"
    return bool(names) and re.compile(pattern).search(value[:4096]) is not None


def _find_addresses(container: ListedDocument, listed: Sequence[ListedDocument]) -> tuple[str, ...]:
    host = next((one for one in listed if one.id == container.lodges_with), container)
    return tuple(address for endpoint in host.endpoints for address in endpoint.addresses)


def _find_names(engine: DockerEngine, servers: Sequence[ListedDocument], service: str) -> tuple[str, ...]:
    names = {service: None} | {one.name: None for one in servers}
    found: list[ContainerDocument | None] = [engine.find_container(one.id) for one in servers]
    for container in found:
        for network in container.networks.values() if container else ():
            names |= dict.fromkeys(alias for alias in network.aliases if not _ID.fullmatch(alias))
    return tuple(names)


def _is_named(engine: DockerEngine, container: ListedDocument, networks: frozenset[str], names: Sequence[str]) -> bool:
    if not networks & container.networks:
        return False
    found = engine.find_container(container.id)
    return found is not None and any(is_place(variable, names) for variable in found.environment)
