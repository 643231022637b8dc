"""Which services can be kept from their users by the networks that they are in, and with whom they are then; pure.

In a network of their own they have what they depend on, as on the stage of a rehearsal, and nothing else. Whatever
in a rendering would need more than names to be put back afterwards, or tells proxies of it, rules that out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.adapters.compose.rendering import (
    Json,
    JsonObject,
    find_dependencies,
    parse_rendering,
    read_name,
    read_object,
    read_services,
)

_TIED = ("network_mode", "links", "external_links", "mac_address", "label_file", "provider")
_LOOKED_FOR = ("VIRTUAL_HOST", "VIRTUAL_HOST_MULTIPORTS")  # how nginx-proxy finds containers
_NAMES_ONLY = {"aliases"}  # what a service may say of its connection to a network
_PLAIN_NETWORK = {"name", "driver", "labels", "attachable", "ipam"}  # in an internal one nothing is ever published
# Labels that no proxy follows; of others it is not known.
_HARMLESS_LABELS = ("com.docker.", "com.centurylinklabs.watchtower.", "org.opencontainers.", "upgrade-orchestrator.")


@dataclass(frozen=True)
class IsolatedGroup:
    """Who may be in the networks of services that are kept apart: they themselves and their ``company``.

    ``networks`` are the engine's names of the networks that the services leave for one of their own, ``name``.
    """

    project: str
    name: str
    services: tuple[str, ...]
    dependencies: tuple[str, ...]
    networks: frozenset[str]


def find_circle(rendering: str, services: Sequence[str]) -> IsolatedGroup | None:
    """The circle of these services; None where they cannot be kept apart from their users."""
    project = parse_rendering(rendering)
    known, networks = read_services(project), read_object(project.get("networks"))
    if not all(_is_plain(known[service]) for service in services):
        return None
    used = {key: read_object(networks.get(key)) for one in services for key in read_object(known[one].get("networks"))}
    if not used or not all(_is_own(network) for network in used.values()):
        return None
    name = read_name(rendering)
    return IsolatedGroup(
        project=name,
        name=f"{name}_gate",
        services=tuple(services),
        dependencies=find_dependencies(rendering, services),
        networks=frozenset(str(network.get("name") or key) for key, network in used.items()),
    )


def _is_plain(service: JsonObject) -> bool:
    deploy = read_object(service.get("deploy"))
    connections = [read_object(options) for options in read_object(service.get("networks")).values()]
    return (
        not any(service.get(key) for key in _TIED)
        and _is_one(service.get("scale"))
        and _is_one(deploy.get("replicas"))
        and not any(name in read_object(service.get("environment")) for name in _LOOKED_FOR)
        and all(label.startswith(_HARMLESS_LABELS) for label in read_object(service.get("labels")))
        and all({key for key, value in options.items() if value} <= _NAMES_ONLY for options in connections)
    )


def _is_one(number: Json) -> bool:
    return number is None or number == 1


def _is_own(network: JsonObject) -> bool:
    said = {key for key, value in network.items() if value}
    return said <= _PLAIN_NETWORK and network.get("driver") in (None, "bridge")
