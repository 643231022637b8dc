"""The rendering of a stage: a copy of some services that can reach nothing but each other; pure.

A rehearsed version works on real data, so it must neither write what belongs to the user nor speak to anybody:
its one network leads nowhere, its volumes are its own, folders of the host are for reading, and what would let
it out (sockets, devices, namespaces and ports of the host) is left out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.adapters.compose.rendering import (
    Json,
    JsonObject,
    find_dependencies,
    list_objects,
    parse_rendering,
    read_object,
    read_services,
)
from orchestrator.adapters.compose.trial_confinement import (
    Sight,
    build_rights,
    find_limits,
    is_closed,
    is_inside,
    is_looked_at,
    mount_from_host,
)
from orchestrator.adapters.docker.models import RUN_LABEL

NETWORK = "stage"

# Where the engine's own resolver forwards names that it does not know: to the container itself, so nowhere.
_NO_RESOLVER = "127.0.0.1"

# What a service may keep. Whatever is not named here, also what Compose learns in years to come, is left out.
_KEPT = frozenset(
    {"command", "cpus", "dns_search", "domainname", "entrypoint", "env_file"}
    | {"environment", "expose", "extra_hosts", "group_add", "healthcheck", "hostname", "init", "mem_limit"}
    | {"mem_reservation", "memswap_limit", "oom_score_adj", "pids_limit", "platform"}
    | {"read_only", "runtime", "shm_size", "stdin_open", "stop_grace_period", "stop_signal"}
    | {"storage_opt", "tmpfs", "tty", "ulimits", "user", "working_dir"}
)
_FILES = ("configs", "secrets")
_PASSWORD_VARIABLES = ("POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE", "POSTGRES_HOST_AUTH_METHOD")


@dataclass(frozen=True)
class StagePlan:
    """What a stage is made of.

    ``images`` pins services to the image ids that their live containers have, ``data`` are the directories in
    which the database server keeps its data, ``writable`` those of the app that it must be able to write. ``helpers``
    are needed by the services and named in their variables only; ``sights`` is what paths of the host look like.
    """

    name: str
    run_id: str
    services: tuple[str, ...]
    database: str
    images: Mapping[str, str]
    data: tuple[str, ...]
    writable: tuple[str, ...]
    helpers: tuple[str, ...] = ()
    sights: Mapping[str, Sight] = field(default_factory=dict)


def build_stage(rendering: str, plan: StagePlan) -> str:
    """The project of a stage, from the frozen project at some version."""
    project = parse_rendering(rendering)
    known = read_services(project)
    kept = find_kept(rendering, plan)
    aliases = {name: _aliases(name, known, kept) for name in kept}
    label: JsonObject = {RUN_LABEL: plan.run_id}
    stage: JsonObject = {
        "name": plan.name,
        "services": {name: _stage_service(name, project, kept, aliases[name], plan) for name in kept},
        "networks": {NETWORK: _build_network(label)},
        "volumes": {name: {"labels": label} for name in _named_volumes(known, kept)},
    }
    return json.dumps(stage | _files(project, plan.sights), indent=2)


def find_kept(rendering: str, plan: StagePlan) -> tuple[str, ...]:
    """All services of a stage."""
    staged = find_staged(rendering, (*plan.services, plan.database))
    known = read_services(parse_rendering(rendering))
    return (*staged, *(name for name in plan.helpers if name in known and name not in staged))


def find_sources(rendering: str, services: Sequence[str]) -> tuple[str, ...]:
    """The paths of the host that these services would have on a stage, and which a look is therefore worth."""
    project = parse_rendering(rendering)
    known = read_services(project)
    mounts = [mount for name in services for mount in list_objects(known[name].get("volumes"))]
    sources = [str(mount.get("source")) for mount in mounts if mount.get("type") == "bind"]
    sources += [file for key in _FILES for file in _list_files(project, key).values()]
    return tuple(dict.fromkeys(source for source in sources if is_looked_at(source)))


def find_stage_limits(rendering: str, plan: StagePlan) -> tuple[str, ...]:
    """What the services of a stage go without there, as parts of a sentence; its database has what it needs."""
    known = read_services(parse_rendering(rendering))
    kept = [name for name in find_kept(rendering, plan) if name != plan.database]
    return tuple(said for name in kept for said in find_limits(name, known[name], plan.sights, plan.writable))


def _list_files(project: JsonObject, key: str) -> dict[str, str]:
    entries = ((name, read_object(entry).get("file")) for name, entry in read_object(project.get(key)).items())
    return {name: str(file) for name, file in entries if file}


# A file of theirs is mounted like any other; one that is no file stays outside, and nobody asks for it.
def _files(project: JsonObject, sights: Mapping[str, Sight]) -> JsonObject:
    return {
        key: {name: entry for name, entry in read_object(project[key]).items() if _is_plain(project, key, name, sights)}
        for key in _FILES
        if key in project
    }


def _is_plain(project: JsonObject, key: str, name: str, sights: Mapping[str, Sight]) -> bool:
    file = _list_files(project, key).get(name)
    sight = sights.get(file or "", Sight(is_folder=False))
    return file is None or not (is_closed(file, {file: sight}) or sight.doors)


# Without an address on its bridge the host is not in it: what listens there is not reached by way of a gateway.
def _build_network(label: JsonObject) -> JsonObject:
    return {
        "driver": "bridge",
        "internal": True,
        "enable_ipv6": False,
        "driver_opts": {"com.docker.network.bridge.inhibit_ipv4": "true"},
        "labels": label,
    }


def list_services(rendering: str) -> tuple[str, ...]:
    """Names of all services of a project."""
    return tuple(read_services(parse_rendering(rendering)))


def find_staged(rendering: str, services: Sequence[str]) -> tuple[str, ...]:
    """These services and all that they depend on, as far as the project has them."""
    known = read_services(parse_rendering(rendering))
    wanted = dict.fromkeys((*services, *find_dependencies(rendering, services)))
    return tuple(name for name in wanted if name in known)


def _stage_service(
    name: str, project: JsonObject, kept: Sequence[str], aliases: Sequence[str], plan: StagePlan
) -> JsonObject:
    service = read_services(project)[name]
    staged: JsonObject = {key: value for key, value in service.items() if key in _KEPT}
    staged |= {
        "image": plan.images.get(name, service.get("image")),
        "pull_policy": "never",
        "restart": "no",
        "labels": {RUN_LABEL: plan.run_id},
        "security_opt": ["no-new-privileges:true"],
        "dns": [_NO_RESOLVER],
        **build_rights(service),
        **{key: _references(project, key, service, plan.sights) for key in _FILES if service.get(key)},
        "volumes": [mount for entry in list_objects(service.get("volumes")) for mount in _mounts(name, entry, plan)],
        "depends_on": {one: how for one, how in read_object(service.get("depends_on")).items() if one in kept},
    }
    shared = str(service.get("network_mode") or "")
    if shared.removeprefix("service:") in kept:
        return staged | {"network_mode": shared}
    if name == plan.database:
        staged["environment"] = _with_password(read_object(service.get("environment")))
    return staged | {"networks": {NETWORK: {"aliases": list(aliases)}}}


def _references(project: JsonObject, key: str, service: JsonObject, sights: Mapping[str, Sight]) -> list[Json]:
    named = service.get(key)
    entries = named if isinstance(named, list) else []
    sources = ((entry, entry if isinstance(entry, str) else read_object(entry).get("source")) for entry in entries)
    return [entry for entry, source in sources if _is_plain(project, key, str(source), sights)]


# The image makes no database without one; the roles' own are copied over it.
def _with_password(environment: JsonObject) -> JsonObject:
    given = any(environment.get(name) for name in _PASSWORD_VARIABLES)
    return environment if given else {**environment, "POSTGRES_PASSWORD": "rehearsal"}


def _mounts(service: str, mount: JsonObject, plan: StagePlan) -> list[Json]:
    kind, source, target = mount.get("type"), str(mount.get("source") or ""), str(mount.get("target"))
    if kind == "tmpfs":
        return [mount]
    fresh = plan.data if service == plan.database else plan.writable
    if kind == "bind" and not any(is_inside(path, target) for path in fresh):
        return mount_from_host(source, target, plan.sights)
    if kind == "volume":
        named: JsonObject = {"type": "volume", "source": source, "target": target}
        return [named if source else {"type": "volume", "target": target}]
    # A folder of the host that must be written: an empty volume takes its place.
    empty: JsonObject = {"type": "volume", "target": target}
    return [empty] if kind == "bind" else []


def _named_volumes(known: Mapping[str, JsonObject], kept: Sequence[str]) -> tuple[str, ...]:
    mounts = (mount for name in kept for mount in list_objects(known[name].get("volumes")))
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
