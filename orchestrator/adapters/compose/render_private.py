"""What becomes of a Compose rendering when its users must not reach some of its services; pure.

Users, and the proxies that work for them, reach a container by a published port, by labels or variables that a
proxy looks for, and inside a network by its names: of the service, of the container, of the host in it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from orchestrator.adapters.compose.rendering import (
    Json,
    JsonObject,
    find_dependencies,
    list_objects,
    parse_rendering,
    read_name,
    read_object,
    read_services,
)
from orchestrator.adapters.docker.models import Connection
from orchestrator.adapters.http.addresses import is_literal, is_loopback
from orchestrator.core.errors import PlatformError

_PORTS = {"http": 80, "https": 443}
_OPENINGS = ("ports", "labels", "label_file", "hostname", "domainname")
_LOOKED_FOR = ("VIRTUAL_HOST", "VIRTUAL_HOST_MULTIPORTS")  # how nginx-proxy finds containers
_DEPLOYMENT = ("replicas", "restart_policy", "labels")
_UNREACHABLE_MODES = ("none", "bridge", "default")  # no name is known there, and nothing is published


@dataclass(frozen=True)
class Published:
    """Which service is behind a published port, and the port in its container."""

    service: str
    port: int


def build_gated_rendering(rendering: str, services: Sequence[str]) -> str:
    """The rendering with nothing of these services that a user or a proxy could find; one container each.

    Raises:
        PlatformError: ``gate.impossible``.
    """
    check_closable(rendering, services)
    project = parse_rendering(rendering)
    known = read_services(project)
    for service in services:
        gated = known[service]
        for opening in _OPENINGS:
            gated.pop(opening, None)
        gated.pop("scale", None)
        gated["deploy"] = _without(gated.get("deploy"), _DEPLOYMENT)
        # Traefik takes a container in by Compose's own labels, too, unless it is told not to.
        gated["labels"] = {"traefik.enable": "false"}
        gated["environment"] = _without(gated.get("environment"), _LOOKED_FOR)
        gated["container_name"] = name_gated(read_name(rendering), service)
        gated["restart"] = "no"
    return json.dumps(project, indent=2)


def check_closable(rendering: str, services: Sequence[str]) -> None:
    """Check that nothing of these services is where it cannot be hidden.

    Raises:
        PlatformError: ``gate.impossible``.
    """
    known = read_services(parse_rendering(rendering))
    for service in services:
        mode = str(known[service].get("network_mode") or "")
        kind, _, other = mode.partition(":")
        if mode in ("", *_UNREACHABLE_MODES) or (kind == "service" and other in services):
            continue
        raise impossible(service, f"it uses `network_mode: {mode}`")


def impossible(service: str, why: str) -> PlatformError:
    """The error for a service that cannot be kept from its users."""
    return PlatformError(
        "gate.impossible",
        f"Service {service} cannot be started where no user reaches it: {why}.",
        hint="Write `gate: open` under `with:` of the plan's start state, and `commit` then opens nothing.",
    )


def name_gated(project: str, service: str) -> str:
    """Name of the container of a service behind the gate; the engine makes it known to the whole network."""
    return f"{project}-{service}-gated"


def choose_placeholders(rendering: str, services: Sequence[str]) -> dict[str, str]:
    """Network → image for what holds addresses in it; a network with fixed addresses is left alone."""
    known = read_services(parse_rendering(rendering))
    connections = {service: build_connections(rendering, [service]) for service in services}
    fixed = {one.network for found in connections.values() for one in found if one.ipv4_address or one.ipv6_address}
    return {
        one.network: str(known[service].get("image"))
        for service, found in connections.items()
        for one in found
        if one.network not in fixed
    }


def find_networks(rendering: str, service: str) -> tuple[str, ...]:
    """The engine's names of the networks of a service."""
    return tuple(connection.network for connection in build_connections(rendering, [service]))


def build_connections(rendering: str, services: Sequence[str]) -> tuple[Connection, ...]:
    """How the containers of these services are connected, so that they find one another and nobody finds them."""
    project = parse_rendering(rendering)
    networks = read_object(project.get("networks"))
    known = read_services(project)
    return tuple(
        Connection(
            name_gated(read_name(rendering), service),
            str(read_object(networks.get(key)).get("name") or key),
            _links(known, services, key, read_name(rendering)),
            _text(read_object(options).get("ipv4_address")),
            _text(read_object(options).get("ipv6_address")),
        )
        for service in services
        for key, options in read_object(known[service].get("networks")).items()
    )


def find_published(rendering: str, services: Sequence[str], url: str) -> Published | None:
    """The service of these to which a URL leads, and its port in the container; None where that is not clear.

    That is the one that publishes the port of an http URL, whatever its host. Otherwise a URL of https, of a host
    name, or of a port that another service publishes leads to a proxy, and behind it is their only TCP port.
    """
    known = read_services(parse_rendering(rendering))
    wanted = _find_port(url)
    if wanted is None:
        return None
    plain = urlsplit(url).scheme == "http"
    direct = [found for number, found in _list_published(known, services) if number == wanted]
    if direct:
        return direct[0] if plain else None  # it speaks TLS itself, for its own name
    others = [name for name in known if name not in {*services, *find_dependencies(rendering, services)}]
    in_front = any(number == wanted for number, _ in _list_published(known, others))
    if not (in_front or not plain or not _is_address(url)):
        return None
    inner = {found for _, found in _list_published(known, services)} or set(_list_exposed(known, services))
    return inner.pop() if len(inner) == 1 else None


def _list_published(known: Mapping[str, JsonObject], services: Sequence[str]) -> list[tuple[str, Published]]:
    return [
        (str(port.get("published")), Published(service, target))
        for service in services
        for port in list_objects(known[service].get("ports"))
        if isinstance(target := port.get("target"), int) and port.get("protocol", "tcp") == "tcp"
    ]


def _list_exposed(known: Mapping[str, JsonObject], services: Sequence[str]) -> list[Published]:
    exposed = [(service, known[service].get("expose")) for service in services]
    ports = [(service, str(port).removesuffix("/tcp")) for service, found in exposed for port in _list_any(found)]
    return [Published(service, int(port)) for service, port in ports if port.isdecimal()]


def _list_any(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _is_address(url: str) -> bool:
    return is_loopback(url) or is_literal(url)


def build_private_url(url: str, address: str, port: int) -> str:
    """The URL with another host and port, over plain http; path and query stay."""
    parts = urlsplit(url)
    host = f"[{address}]" if ":" in address else address
    return parts._replace(scheme="http", netloc=f"{host}:{port}", fragment="").geturl()


def _find_port(url: str) -> str | None:
    address = urlsplit(url)
    try:
        default = _PORTS.get(address.scheme)
        return str(address.port or default) if default else None
    except ValueError:
        return None


def _links(
    known: Mapping[str, JsonObject], services: Sequence[str], network: str, project: str
) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for service in services:
        networks = read_object(known[service].get("networks"))
        if network in networks:
            aliases = read_object(networks[network]).get("aliases")
            names = [service, *(aliases if isinstance(aliases, list) else [])]
            found += [(name_gated(project, service), str(name)) for name in dict.fromkeys(names)]
    return tuple(found)


def _without(value: Json, names: Sequence[str]) -> Json:
    return {name: kept for name, kept in read_object(value).items() if name not in names}


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None
