"""The items that a container would have if Compose made it now, from the project as it renders it; pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from orchestrator.adapters.drift.documents import ImageSettings
from orchestrator.adapters.drift.running import (
    YES_IN,
    describe_bind,
    describe_tmpfs,
    describe_volume,
    health_to_items,
    join_tmpfs,
    mark_read_only,
    read_mode,
    read_network_mode,
)
from orchestrator.adapters.drift.values import (
    ADDRESS,
    ALIAS,
    ANONYMOUS,
    COMMAND,
    CONTAINER_NAME,
    CONTROL_GROUP,
    DEFAULT_RUNTIMES,
    DEFAULT_SHARED_MEMORY,
    ENTRYPOINT,
    EXPOSED,
    FOLDER,
    IMAGE,
    INIT,
    LIMIT,
    LINK,
    LOG_DRIVER,
    LOG_OPTION,
    MOUNT,
    NETWORK,
    NETWORK_MODE,
    RESTART,
    RUNTIME,
    SHARED_MEMORY,
    STOP_SIGNAL,
    USER,
    Item,
    Items,
    find_word,
    keep_set,
    merge_health,
    read_capability,
    read_duration_ns,
    read_hosts,
    read_labels,
    read_names,
    read_path,
    read_ports,
    read_security,
    read_signal,
    read_size,
    read_variables,
)
from orchestrator.adapters.rendering import Json, JsonObject, read_object, read_restart_policy, read_services
from orchestrator.adapters.rendering import parse_rendering as parse

_NS = 1_000_000_000


@dataclass(frozen=True)
class Rendered:
    """A rendering to read services from; ``resolve`` follows links of the host."""

    text: str
    project: JsonObject
    resolve: Callable[[str], str]

    @classmethod
    def of(cls, rendering: str, resolve: Callable[[str], str]) -> Rendered:
        """Parse it; Compose doubles the dollar signs of what it renders."""
        return cls(rendering, cast("JsonObject", _undouble(parse(rendering))), resolve)

    @property
    def name(self) -> str:
        """Name of the project."""
        return str(self.project["name"])

    @property
    def services(self) -> dict[str, JsonObject]:
        """Its services."""
        return read_services(self.project)

    def count(self, service: str) -> int:
        """How many containers of a service there are to be."""
        said = self.services[service]
        deploy = read_object(said.get("deploy"))
        for number in (said.get("scale"), deploy.get("replicas")):
            if isinstance(number, int):
                return number
        return 1

    def read(self, service: str, image: ImageSettings | None) -> Items:
        """All items of a container of the service, made of this image; None where the engine has lost it."""
        said = self.services[service]
        mode = read_network_mode(_text(said.get("network_mode")))
        return {
            **_read_config(said, image, mode, self._name_image(service)),
            **_read_host(said),
            **_read_resources(said),
            Item(RESTART): self._find_policy(service),
            **{Item(MOUNT, target): value for target, value in self._find_mounts(service, image, ()).items()},
            **({Item(NETWORK_MODE): mode} if mode else self._read_networks(service)),
            **({} if mode else read_ports(_find_ports(said))),
        }

    def _name_image(self, service: str) -> str:
        return _text(self.services[service].get("image"))

    def _find_policy(self, service: str) -> str:
        policy = read_restart_policy(self.text, service)
        return f"{policy.name}:{policy.attempts}" if policy.attempts else policy.name

    def _find_mounts(self, service: str, image: ImageSettings | None, seen: tuple[str, ...]) -> dict[str, str]:
        said = self.services.get(service, {})
        found = {read_path(target): ANONYMOUS for target in (image.config.volumes if image else {})}
        for source in _texts(said.get("volumes_from")):
            other = source.partition(":")[0]
            if other not in (*seen, service):
                found |= self._find_mounts(other, None, (*seen, service))
        found |= dict(self._mount(one) for one in _objects(said.get("volumes")))
        for key in ("secrets", "configs"):
            found |= dict(self._find_files(key, said))
        for one in _texts(said.get("tmpfs")):
            target, _, options = one.partition(":")
            found[read_path(target)] = describe_tmpfs(options)
        return found

    def _mount(self, one: JsonObject) -> tuple[str, str]:
        kind, source = _text(one.get("type")), _text(one.get("source"))
        if kind == "volume":
            part = _text(read_object(one.get("volume")).get("subpath"))
            value = describe_volume(self._name("volumes", source), part) if source else ANONYMOUS
        elif kind == "bind":
            value = describe_bind(source, self.resolve)
        elif kind == "tmpfs":
            options = read_object(one.get("tmpfs"))
            value = describe_tmpfs(join_tmpfs(read_size(options.get("size")), _number(options.get("mode"))))
        else:
            value = kind
        return read_path(_text(one.get("target"))), mark_read_only(value, read_only=bool(one.get("read_only")))

    # Those of a variable or of a text are copied into the container: no mount.
    def _find_files(self, key: str, said: JsonObject) -> Iterator[tuple[str, str]]:
        folder = "/run/secrets/" if key == "secrets" else "/"
        known = read_object(self.project.get(key))
        for one in _objects(said.get(key)):
            source = _text(one.get("source"))
            file = _text(read_object(known.get(source)).get("file"))
            target = _text(one.get("target")) or source
            if file:
                place = target if target.startswith("/") else f"{folder}{target}"
                yield read_path(place), mark_read_only(describe_bind(file, self.resolve), read_only=True)

    def _name(self, key: str, source: str) -> str:
        return _text(read_object(read_object(self.project.get(key)).get(source)).get("name")) or source

    def _read_networks(self, service: str) -> Items:
        said = self.services[service]
        found: Items = {}
        name_of_container = _text(said.get("container_name"))
        for key, options in (read_object(said.get("networks")) or {"default": None}).items():
            name, asked = self._name("networks", key), read_object(options)
            found[Item(NETWORK, name)] = YES_IN
            aliases = {service, *_texts(asked.get("aliases"))} - ({name_of_container} - {service})
            found |= {Item(ALIAS, f"{alias} in {name}"): YES_IN for alias in aliases}
            for address in (_text(asked.get("ipv4_address")), _text(asked.get("ipv6_address"))):
                if address:
                    found[Item(ADDRESS, f"{address} in {name}")] = YES_IN
        return found | read_names(LINK, _find_links(said))


def _read_config(said: JsonObject, image: ImageSettings | None, mode: str, image_name: str) -> Items:
    config = image.config if image else None
    inherited = dict(one.split("=", 1) for one in config.env if "=" in one) if config else {}
    own = read_object(said.get("environment"))
    variables = {name: value for name, value in inherited.items() if name not in own}
    variables |= {name: _text(value) for name, value in own.items() if value is not None}
    labels = {**(config.labels if config else {}), **{k: _text(v) for k, v in read_object(said.get("labels")).items()}}
    entrypoint, command = _choose_command(said, image)
    grace = said.get("stop_grace_period")
    simple: list[tuple[Item, object]] = [
        (Item(IMAGE), image_name),
        (Item(CONTAINER_NAME), _text(said.get("container_name"))),
        (Item(USER), _text(said.get("user")) or (config.user if config else "")),
        (Item(FOLDER), read_path(_text(said.get("working_dir")) or (config.working_dir if config else ""))),
        (Item(COMMAND), shlex.join(command)),
        (Item(ENTRYPOINT), shlex.join(entrypoint)),
        (Item("host name"), "" if mode else _text(said.get("hostname"))),
        (Item("domain name"), _text(said.get("domainname"))),
        (Item("terminal"), bool(said.get("tty"))),
        (Item("open standard input"), bool(said.get("stdin_open"))),
        (Item(STOP_SIGNAL), read_signal(_text(said.get("stop_signal")) or (config.stop_signal if config else ""))),
        (Item("grace period"), f"{read_duration_ns(grace) // _NS} s" if grace is not None else ""),
    ]
    exposed = {*(config.exposed_ports if config else ()), *_texts(said.get("expose"))}
    exposed |= {port for port, _, _ in _find_ports(said)}
    return {
        **keep_set(simple),
        **read_variables(variables),
        **read_labels(labels),
        **read_names(EXPOSED, (port.removesuffix("/tcp") for port in exposed)),
        **_read_health(read_object(said.get("healthcheck")), image),
    }


def _choose_command(said: JsonObject, image: ImageSettings | None) -> tuple[list[str], list[str]]:
    entrypoint, command = said.get("entrypoint"), _texts(said.get("command"))
    if entrypoint:
        return ([] if entrypoint == [""] else _texts(entrypoint)), command
    inherited = list(image.config.entrypoint) if image and entrypoint is None else []
    return inherited, command or (list(image.config.cmd) if image else [])


def _read_health(said: JsonObject, image: ImageSettings | None) -> Items:
    inherited = health_to_items(image.config.healthcheck) if image else {}
    if said.get("disable"):
        return merge_health({"test": ["NONE"]}, {})
    own: dict[str, object] = {
        "test": said.get("test"),
        "interval": read_duration_ns(said.get("interval")),
        "timeout": read_duration_ns(said.get("timeout")),
        "start period": read_duration_ns(said.get("start_period")),
        "start interval": read_duration_ns(said.get("start_interval")),
        "retries": said.get("retries"),
    }
    return merge_health(own, inherited)


def _read_host(said: JsonObject) -> Items:
    logging = read_object(said.get("logging"))
    shared = read_size(said.get("shm_size"))
    simple: list[tuple[Item, object]] = [
        (Item("privileges"), bool(said.get("privileged"))),
        (Item("read-only root"), bool(said.get("read_only"))),
        (Item(INIT), bool(said.get("init"))),
        (Item("PID mode"), read_mode(_text(said.get("pid")))),
        (Item("IPC mode"), read_mode(_text(said.get("ipc")))),
        (Item("UTS mode"), _text(said.get("uts"))),
        (Item("user namespace"), _text(said.get("userns_mode"))),
        (Item(CONTROL_GROUP), _text(said.get("cgroup"))),
        (Item("parent control group"), _text(said.get("cgroup_parent"))),
        (Item(RUNTIME), _text(said.get("runtime")) if said.get("runtime") not in DEFAULT_RUNTIMES else ""),
        (Item(LOG_DRIVER), _text(logging.get("driver"))),
        (Item(SHARED_MEMORY), shared if shared != DEFAULT_SHARED_MEMORY else 0),
        (Item("DNS servers"), find_word(_texts(said.get("dns")))),
        (Item("DNS search domains"), find_word(_texts(said.get("dns_search")))),
        (Item("DNS options"), find_word(_texts(said.get("dns_opt")))),
        (Item("device rules"), find_word(_texts(said.get("device_cgroup_rules")))),
    ]
    return {
        **keep_set(simple),
        **read_names("added capability", map(read_capability, _texts(said.get("cap_add")))),
        **read_names("dropped capability", map(read_capability, _texts(said.get("cap_drop")))),
        **read_names("group", _texts(said.get("group_add"))),
        **read_names("security option", read_security(_texts(said.get("security_opt")))),
        **read_hosts(_find_hosts(said.get("extra_hosts"))),
        **_read_mapping("kernel parameter", said.get("sysctls")),
        **dict(map(_read_limit, read_object(said.get("ulimits")).items())),
        **_read_mapping(LOG_OPTION, logging.get("options")),
        **_read_mapping("annotation", said.get("annotations")),
        **_read_mapping("storage option", said.get("storage_opt")),
        **dict(_find_devices(said.get("devices"))),
    }


def _read_resources(said: JsonObject) -> Items:
    resources = read_object(read_object(said.get("deploy")).get("resources"))
    limits, reserved = read_object(resources.get("limits")), read_object(resources.get("reservations"))
    swap, memory = read_size(said.get("memswap_limit")), read_size(limits.get("memory") or said.get("mem_limit"))
    if _text(said.get("memswap_limit")) == "-1":
        swap = -1
    swappiness = said.get("mem_swappiness")
    simple: list[tuple[Item, object]] = [
        (Item("memory limit"), memory),
        (Item("memory reservation"), read_size(reserved.get("memory") or said.get("mem_reservation"))),
        (Item("swap limit"), swap if swap != 2 * memory else 0),
        (Item("swappiness"), "" if swappiness in (None, "-1", -1) else _text(swappiness)),
        (Item("no OOM killer"), bool(said.get("oom_kill_disable"))),
        (Item("OOM score"), _number(said.get("oom_score_adj"))),
        (Item("CPUs"), float(_text(limits.get("cpus")) or _text(said.get("cpus")) or 0)),
        (Item("CPU shares"), _number(said.get("cpu_shares"))),
        (Item("CPU period"), _microseconds(said.get("cpu_period"))),
        (Item("CPU quota"), _microseconds(said.get("cpu_quota"))),
        (Item("CPU set"), _text(said.get("cpuset"))),
        (Item("number of processes"), max(0, _number(limits.get("pids")) or _number(said.get("pids_limit")))),
        (Item("block I/O weight"), _number(read_object(said.get("blkio_config")).get("weight"))),
    ]
    requests = [*_objects(reserved.get("devices")), *_objects(said.get("gpus"))]
    return {**keep_set(simple), **read_names("device request", map(_describe_request, requests))}


def _describe_request(one: JsonObject) -> str:
    count = _number(one.get("count")) or ("" if one.get("device_ids") else -1)
    devices, capabilities = ",".join(_texts(one.get("device_ids"))), ",".join(sorted(_texts(one.get("capabilities"))))
    return " ".join(f"{_text(one.get('driver'))} {count}{devices} {capabilities or 'gpu'}".split())


def _find_ports(said: JsonObject) -> list[tuple[str, str, str]]:
    return [
        (f"{_text(one.get('target'))}/{_text(one.get('protocol')) or 'tcp'}", _text(one.get("host_ip")), published)
        for one in _objects(said.get("ports"))
        for published in [_text(one.get("published"))]
    ]


def _find_hosts(value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, addresses in value.items():
            yield from ((name, address) for address in (_texts(addresses)))
    for entry in _texts(value):
        separator = "=" if "=" in entry else ":"
        name, _, address = entry.partition(separator)
        yield name, address


def _find_devices(value: Json) -> Iterator[tuple[Item, str]]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            source, target, rights = _text(one.get("source")), _text(one.get("target")), _text(one.get("permissions"))
        else:
            source, target, rights = (*_text(one).split(":"), "", "")[:3]
        if "=" not in source:  # by the name of a driver's device
            yield Item("device", target or source), f"{source} ({rights or 'rwm'})"


# `db`, `db:name` or, for a container of another project, `container:name`: Compose adds names of its own.
def _find_links(said: JsonObject) -> Iterator[str]:
    for link in _texts(said.get("links")):
        service, _, name = link.partition(":")
        yield name or service
    for link in _texts(said.get("external_links")):
        container, _, name = link.partition(":")
        if name and not container.endswith(name):
            yield name


def _read_limit(pair: tuple[str, Json]) -> tuple[Item, str]:
    name, value = pair
    both = read_object(value) or {"soft": value, "hard": value}
    return Item(LIMIT, name), f"{_text(both.get('soft'))}:{_text(both.get('hard'))}"


def _read_mapping(kind: str, value: Json) -> Items:
    return {Item(kind, name): _text(one) for name, one in read_object(value).items()}


def _microseconds(value: Json) -> int:
    text = _text(value)
    return int(text) if text.lstrip("-").isdigit() else read_duration_ns(text) // 1000


def _number(value: Json) -> int:
    text = _text(value)
    return int(text) if text.lstrip("-").isdigit() else 0


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _texts(value: Json) -> list[str]:
    if isinstance(value, list):
        return [_text(one) for one in value if not isinstance(one, (dict, list))]
    return [value] if isinstance(value, str) else []


def _objects(value: Json) -> list[JsonObject]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _undouble(value: Json) -> Json:
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, list):
        return [_undouble(one) for one in value]
    if isinstance(value, Mapping):
        return {name: _undouble(one) for name, one in value.items()}
    return value
