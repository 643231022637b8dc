"""The rendering of a stage: a copy of some services that can reach nothing but each other; pure.

A rehearsed version works on real data, so it must neither write what belongs to the user nor speak to anybody:
its one network leads nowhere, its volumes are its own, folders of the host are for reading, and what would let
it out (sockets, devices, namespaces and ports of the host) is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from orchestrator.adapters.engine_documents import RUN_LABEL
from orchestrator.adapters.rendering import (
    Json,
    JsonObject,
    find_dependencies,
    parse_rendering,
    read_object,
    read_services,
)

NETWORK = "stage"

# Where the engine's own resolver forwards names that it does not know: to the container itself, so nowhere.
_NO_RESOLVER = "127.0.0.1"

# What a service may keep. Whatever is not named here, also what Compose learns in years to come, is left out.
_KEPT = frozenset(
    {"cap_add", "cap_drop", "command", "configs", "cpus", "dns_search", "domainname", "entrypoint", "env_file"}
    | {"environment", "expose", "extra_hosts", "group_add", "healthcheck", "hostname", "init", "mem_limit"}
    | {"mem_reservation", "memswap_limit", "oom_score_adj", "pids_limit", "platform", "post_start", "pre_stop"}
    | {"read_only", "runtime", "secrets", "shm_size", "stdin_open", "stop_grace_period", "stop_signal"}
    | {"storage_opt", "sysctls", "tmpfs", "tty", "ulimits", "user", "working_dir"}
)
_ENGINE_SOCKETS = tuple(
    PurePosixPath(path)
    for path in (
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/run/podman/podman.sock",
    )
)
_PASSWORD_VARIABLES = ("POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE", "POSTGRES_HOST_AUTH_METHOD")


@dataclass(frozen=True)
class StagePlan:
    """What a stage is made of.

    ``images`` pins services to the image ids that their live containers have, ``data`` are the directories in
    which the database server keeps its data, ``writable`` those of the app that it must be able to write;
    ``is_socket`` tells of a path of the host whether a socket is there.
    """

    name: str
    run_id: str
    services: tuple[str, ...]
    database: str
    images: Mapping[str, str]
    data: tuple[str, ...]
    writable: tuple[str, ...]
    is_socket: Callable[[str], bool]


def build_stage(rendering: str, plan: StagePlan) -> str:
    """The project of a stage, from the frozen project at some version."""
    project = parse_rendering(rendering)
    known = read_services(project)
    kept = find_staged(rendering, (*plan.services, plan.database))
    aliases = {name: _aliases(name, known, kept) for name in kept}
    label: JsonObject = {RUN_LABEL: plan.run_id}
    stage: JsonObject = {
        "name": plan.name,
        "services": {name: _stage_service(name, known[name], kept, aliases[name], plan) for name in kept},
        "networks": {NETWORK: _build_network(label)},
        "volumes": {name: {"labels": label} for name in _named_volumes(known, kept)},
    }
    return json.dumps(stage | {key: project[key] for key in ("configs", "secrets") if key in project}, indent=2)


# Without an address on its bridge the host is not in it: what listens there is not reached by way of a gateway.
def _build_network(label: JsonObject) -> JsonObject:
    return {
        "driver": "bridge",
        "internal": True,
        "enable_ipv6": False,
        "driver_opts": {"com.docker.network.bridge.inhibit_ipv4": "true"},
        "labels": label,
    }


def find_staged(rendering: str, services: Sequence[str]) -> tuple[str, ...]:
    """These services and all that they depend on, as far as the project has them."""
    known = read_services(parse_rendering(rendering))
    wanted = dict.fromkeys((*services, *find_dependencies(rendering, services)))
    return tuple(name for name in wanted if name in known)


def _stage_service(
    name: str, service: JsonObject, kept: Sequence[str], aliases: Sequence[str], plan: StagePlan
) -> JsonObject:
    staged: JsonObject = {key: value for key, value in service.items() if key in _KEPT}
    staged |= {
        "image": plan.images.get(name, service.get("image")),
        "pull_policy": "never",
        "restart": "no",
        "labels": {RUN_LABEL: plan.run_id},
        "security_opt": ["no-new-privileges:true"],
        "dns": [_NO_RESOLVER],
        "volumes": [mount for entry in _objects(service.get("volumes")) for mount in _mounts(name, entry, plan)],
        "depends_on": {one: how for one, how in read_object(service.get("depends_on")).items() if one in kept},
    }
    shared = str(service.get("network_mode") or "")
    if shared.removeprefix("service:") in kept:
        return staged | {"network_mode": shared}
    if name == plan.database:
        staged["environment"] = _with_password(read_object(service.get("environment")))
    return staged | {"networks": {NETWORK: {"aliases": list(aliases)}}}


# The image makes no database without one; the roles' own are copied over it.
def _with_password(environment: JsonObject) -> JsonObject:
    given = any(environment.get(name) for name in _PASSWORD_VARIABLES)
    return environment if given else {**environment, "POSTGRES_PASSWORD": "rehearsal"}


def _mounts(service: str, mount: JsonObject, plan: StagePlan) -> list[Json]:
    kind, source, target = mount.get("type"), str(mount.get("source") or ""), str(mount.get("target"))
    if kind == "tmpfs":
        return [mount]
    fresh = plan.data if service == plan.database else plan.writable
    if kind == "bind" and not any(_is_inside(path, target) for path in fresh):
        if plan.is_socket(source) or any(_is_inside(str(socket), source) for socket in _ENGINE_SOCKETS):
            return []
        return [{"type": "bind", "source": source, "target": target, "read_only": True}]
    if kind == "volume":
        named: JsonObject = {"type": "volume", "source": source, "target": target}
        return [named if source else {"type": "volume", "target": target}]
    # A folder of the host that must be written: an empty volume takes its place.
    empty: JsonObject = {"type": "volume", "target": target}
    return [empty] if kind == "bind" else []


def _named_volumes(known: Mapping[str, JsonObject], kept: Sequence[str]) -> tuple[str, ...]:
    mounts = (mount for name in kept for mount in _objects(known[name].get("volumes")))
    return tuple(dict.fromkeys(str(m["source"]) for m in mounts if m.get("type") == "volume" and m.get("source")))


def _aliases(name: str, known: Mapping[str, JsonObject], kept: Sequence[str]) -> list[str]:
    service = known[name]
    found = [name, service.get("container_name"), service.get("hostname")]
    for network in read_object(service.get("networks")).values():
        aliases = read_object(network).get("aliases")
        found += aliases if isinstance(aliases, list) else []
    for other in kept:
        links = known[other].get("links")
        pairs = [str(link).partition(":") for link in links] if isinstance(links, list) else []
        found += [alias for linked, _, alias in pairs if linked == name]
    return list(dict.fromkeys(str(alias) for alias in found if alias))


def _is_inside(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(PurePosixPath(folder or "."))


def _objects(value: Json) -> list[JsonObject]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
