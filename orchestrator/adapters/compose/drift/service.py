"""The items that a service's own lines of a rendering say, or its image for them; pure."""

import shlex
from collections.abc import Iterator

from orchestrator.adapters.compose.drift.fields import as_microseconds, as_number, as_objects, as_text, as_texts
from orchestrator.adapters.compose.drift.running import health_to_items, read_mode
from orchestrator.adapters.compose.drift.values import (
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
    LOG_DRIVER,
    LOG_OPTION,
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
    read_security,
    read_signal,
    read_size,
    read_variables,
)
from orchestrator.adapters.compose.rendering import Json, JsonObject, read_object
from orchestrator.adapters.docker.settings import ImageSettings

_NS = 1_000_000_000


def read_config(said: JsonObject, image: ImageSettings | None, mode: str, image_name: str) -> Items:
    """What the container itself is: command, variables, labels, health check."""
    config = image.config if image else None
    inherited = dict(one.split("=", 1) for one in config.env if "=" in one) if config else {}
    own = read_object(said.get("environment"))
    variables = {name: value for name, value in inherited.items() if name not in own}
    variables |= {name: as_text(value) for name, value in own.items() if value is not None}
    own_labels = {name: as_text(value) for name, value in read_object(said.get("labels")).items()}
    labels = {**(config.labels if config else {}), **own_labels}
    entrypoint, command = _choose_command(said, image)
    grace = said.get("stop_grace_period")
    simple: list[tuple[Item, object]] = [
        (Item(IMAGE), image_name),
        (Item(CONTAINER_NAME), as_text(said.get("container_name"))),
        (Item(USER), as_text(said.get("user")) or (config.user if config else "")),
        (Item(FOLDER), read_path(as_text(said.get("working_dir")) or (config.working_dir if config else ""))),
        (Item(COMMAND), shlex.join(command)),
        (Item(ENTRYPOINT), shlex.join(entrypoint)),
        (Item("host name"), "" if mode else as_text(said.get("hostname"))),
        (Item("domain name"), as_text(said.get("domainname"))),
        (Item("terminal"), bool(said.get("tty"))),
        (Item("open standard input"), bool(said.get("stdin_open"))),
        (Item(STOP_SIGNAL), read_signal(as_text(said.get("stop_signal")) or (config.stop_signal if config else ""))),
        (Item("grace period"), f"{read_duration_ns(grace) // _NS} s" if grace is not None else ""),
    ]
    exposed = {*(config.exposed_ports if config else ()), *as_texts(said.get("expose"))}
    exposed |= {port for port, _, _ in find_ports(said)}
    return {
        **keep_set(simple),
        **read_variables(variables),
        **read_labels(labels),
        **read_names(EXPOSED, (port.removesuffix("/tcp") for port in exposed)),
        **_read_health(read_object(said.get("healthcheck")), image),
    }


def _choose_command(said: JsonObject, image: ImageSettings | None) -> tuple[list[str], list[str]]:
    entrypoint, command = said.get("entrypoint"), as_texts(said.get("command"))
    if entrypoint:
        return ([] if entrypoint == [""] else as_texts(entrypoint)), command
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


def read_host(said: JsonObject) -> Items:
    """How the host runs it: privileges, namespaces, names, logging, devices."""
    logging = read_object(said.get("logging"))
    shared = read_size(said.get("shm_size"))
    simple: list[tuple[Item, object]] = [
        (Item("privileges"), bool(said.get("privileged"))),
        (Item("read-only root"), bool(said.get("read_only"))),
        (Item(INIT), bool(said.get("init"))),
        (Item("PID mode"), read_mode(as_text(said.get("pid")))),
        (Item("IPC mode"), read_mode(as_text(said.get("ipc")))),
        (Item("UTS mode"), as_text(said.get("uts"))),
        (Item("user namespace"), as_text(said.get("userns_mode"))),
        (Item(CONTROL_GROUP), as_text(said.get("cgroup"))),
        (Item("parent control group"), as_text(said.get("cgroup_parent"))),
        (Item(RUNTIME), as_text(said.get("runtime")) if said.get("runtime") not in DEFAULT_RUNTIMES else ""),
        (Item(LOG_DRIVER), as_text(logging.get("driver"))),
        (Item(SHARED_MEMORY), shared if shared != DEFAULT_SHARED_MEMORY else 0),
        (Item("DNS servers"), find_word(as_texts(said.get("dns")))),
        (Item("DNS search domains"), find_word(as_texts(said.get("dns_search")))),
        (Item("DNS options"), find_word(as_texts(said.get("dns_opt")))),
        (Item("device rules"), find_word(as_texts(said.get("device_cgroup_rules")))),
    ]
    return {
        **keep_set(simple),
        **read_names("added capability", map(read_capability, as_texts(said.get("cap_add")))),
        **read_names("dropped capability", map(read_capability, as_texts(said.get("cap_drop")))),
        **read_names("group", as_texts(said.get("group_add"))),
        **read_names("security option", read_security(as_texts(said.get("security_opt")))),
        **read_hosts(_find_hosts(said.get("extra_hosts"))),
        **_read_mapping("kernel parameter", said.get("sysctls")),
        **dict(map(_read_limit, read_object(said.get("ulimits")).items())),
        **_read_mapping(LOG_OPTION, logging.get("options")),
        **_read_mapping("annotation", said.get("annotations")),
        **_read_mapping("storage option", said.get("storage_opt")),
        **dict(_find_devices(said.get("devices"))),
    }


def read_resources(said: JsonObject) -> Items:
    """How much of the host it may use."""
    resources = read_object(read_object(said.get("deploy")).get("resources"))
    limits, reserved = read_object(resources.get("limits")), read_object(resources.get("reservations"))
    swap, memory = read_size(said.get("memswap_limit")), read_size(limits.get("memory") or said.get("mem_limit"))
    if as_text(said.get("memswap_limit")) == "-1":
        swap = -1
    swappiness = said.get("mem_swappiness")
    simple: list[tuple[Item, object]] = [
        (Item("memory limit"), memory),
        (Item("memory reservation"), read_size(reserved.get("memory") or said.get("mem_reservation"))),
        (Item("swap limit"), swap if swap != 2 * memory else 0),
        (Item("swappiness"), "" if swappiness in (None, "-1", -1) else as_text(swappiness)),
        (Item("no OOM killer"), bool(said.get("oom_kill_disable"))),
        (Item("OOM score"), as_number(said.get("oom_score_adj"))),
        (Item("CPUs"), float(as_text(limits.get("cpus")) or as_text(said.get("cpus")) or 0)),
        (Item("CPU shares"), as_number(said.get("cpu_shares"))),
        (Item("CPU period"), as_microseconds(said.get("cpu_period"))),
        (Item("CPU quota"), as_microseconds(said.get("cpu_quota"))),
        (Item("CPU set"), as_text(said.get("cpuset"))),
        (Item("number of processes"), max(0, as_number(limits.get("pids")) or as_number(said.get("pids_limit")))),
        (Item("block I/O weight"), as_number(read_object(said.get("blkio_config")).get("weight"))),
    ]
    requests = [*as_objects(reserved.get("devices")), *as_objects(said.get("gpus"))]
    return {**keep_set(simple), **read_names("device request", map(_describe_request, requests))}


def _describe_request(one: JsonObject) -> str:
    count = as_number(one.get("count")) or ("" if one.get("device_ids") else -1)
    devices = ",".join(as_texts(one.get("device_ids")))
    capabilities = ",".join(sorted(as_texts(one.get("capabilities"))))
    return " ".join(f"{as_text(one.get('driver'))} {count}{devices} {capabilities or 'gpu'}".split())


def find_ports(said: JsonObject) -> list[tuple[str, str, str]]:
    """Its published ports, as `read_ports` reads them."""
    return [
        (
            f"{as_text(one.get('target'))}/{as_text(one.get('protocol')) or 'tcp'}",
            as_text(one.get("host_ip")),
            as_text(one.get("published")),
        )
        for one in as_objects(said.get("ports"))
    ]


def _find_hosts(value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, addresses in value.items():
            yield from ((name, address) for address in (as_texts(addresses)))
    for entry in as_texts(value):
        separator = "=" if "=" in entry else ":"
        name, _, address = entry.partition(separator)
        yield name, address


def _find_devices(value: Json) -> Iterator[tuple[Item, str]]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            source, target, rights = (as_text(one.get(name)) for name in ("source", "target", "permissions"))
        else:
            source, target, rights = (*as_text(one).split(":"), "", "")[:3]
        if "=" not in source:  # by the name of a driver's device
            yield Item("device", target or source), f"{source} ({rights or 'rwm'})"


# `db`, `db:name` or, for a container of another project, `container:name`: Compose adds names of its own.
def find_links(said: JsonObject) -> Iterator[str]:
    """The names of its links."""
    for link in as_texts(said.get("links")):
        service, _, name = link.partition(":")
        yield name or service
    for link in as_texts(said.get("external_links")):
        container, _, name = link.partition(":")
        if name and not container.endswith(name):
            yield name


def _read_limit(pair: tuple[str, Json]) -> tuple[Item, str]:
    name, value = pair
    both = read_object(value) or {"soft": value, "hard": value}
    return Item(LIMIT, name), f"{as_text(both.get('soft'))}:{as_text(both.get('hard'))}"


def _read_mapping(kind: str, value: Json) -> Items:
    return {Item(kind, name): as_text(one) for name, one in read_object(value).items()}
