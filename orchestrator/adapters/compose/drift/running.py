"""The items of a container that is there; pure."""

import shlex
from collections.abc import Callable, Collection
from itertools import chain

from orchestrator.adapters.compose.drift.mounts import read_mounts
from orchestrator.adapters.compose.drift.values import (
    ADDRESS,
    ALIAS,
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
    MAC,
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
    read_hosts,
    read_labels,
    read_names,
    read_path,
    read_ports,
    read_security,
    read_signal,
    read_variables,
)
from orchestrator.adapters.docker.settings import (
    ContainerSettings,
    HealthcheckDocument,
    HostConfigDocument,
    ImageSettings,
)

_PRIVATE = ("", "private", "shareable")
_MODES = ("host", "none", "bridge", "default")


def read_running(
    container: ContainerSettings,
    image: ImageSettings | None,
    *,
    left_out: Collection[str],
    resolve: Callable[[str], str],
) -> Items:
    """What this container has; networks that are ``left_out`` do not count. ``resolve`` follows links of the host."""
    host = container.host_config
    mode = read_network_mode(host.network_mode)
    return {
        **_read_config(container, image, mode),
        **_read_host(host),
        **read_mounts(container, resolve),
        **(_read_networks(container, left_out) if not mode else {Item(NETWORK_MODE): mode}),
        **({} if mode else read_ports(_find_ports(host))),
    }


def read_network_mode(text: str) -> str:
    """``host``, ``none``, ``bridge`` or ``container``; empty where it is in networks by their names."""
    if text.partition(":")[0] in ("container", "service"):
        return "that of another container"
    return ("bridge" if text == "default" else text) if text in _MODES else ""


def _read_config(container: ContainerSettings, image: ImageSettings | None, mode: str) -> Items:
    config, inherited = container.config, image.config if image else None
    # A variable without `=` is one that is not to be there.
    variables = dict(one.split("=", 1) for one in config.env if "=" in one)
    hostname = "" if mode or config.hostname == container.short_id else config.hostname
    signal = config.stop_signal or (inherited.stop_signal if inherited else "")
    simple: list[tuple[Item, object]] = [
        (Item(IMAGE), config.image),
        (Item(CONTAINER_NAME), container.own_name),
        (Item(USER), config.user),
        (Item(FOLDER), read_path(config.working_dir)),
        (Item(COMMAND), shlex.join(config.cmd)),
        (Item(ENTRYPOINT), shlex.join(config.entrypoint)),
        (Item("host name"), hostname),
        (Item("domain name"), config.domainname),
        (Item("terminal"), config.tty),
        (Item("open standard input"), config.open_stdin),
        (Item(STOP_SIGNAL), read_signal(signal)),
        (Item("grace period"), f"{config.stop_timeout} s" if config.stop_timeout is not None else ""),
    ]
    return {
        **keep_set(simple),
        **read_variables(variables),
        **read_labels(config.labels),
        **read_names(EXPOSED, (port.removesuffix("/tcp") for port in config.exposed_ports)),
        **merge_health(health_to_items(config.healthcheck), {}),
    }


def health_to_items(check: HealthcheckDocument) -> dict[str, object]:
    """A health check by its parts."""
    return {
        "test": check.test,
        "interval": check.interval,
        "timeout": check.timeout,
        "start period": check.start_period,
        "start interval": check.start_interval,
        "retries": check.retries,
    }


def _read_host(host: HostConfigDocument) -> Items:
    policy = host.restart_policy
    attempts = f":{policy.maximum_retry_count}" if policy.maximum_retry_count else ""
    swap = host.memory_swap if host.memory_swap not in (0, 2 * host.memory) else 0
    simple: list[tuple[Item, object]] = [
        (Item(RESTART), f"{policy.name or 'no'}{attempts}"),
        (Item("privileges"), host.privileged),
        (Item("read-only root"), host.readonly_rootfs),
        (Item(INIT), host.init),
        (Item("PID mode"), read_mode(host.pid_mode)),
        (Item("IPC mode"), read_mode(host.ipc_mode)),
        (Item("UTS mode"), host.uts_mode),
        (Item("user namespace"), host.userns_mode),
        (Item(CONTROL_GROUP), host.cgroupns_mode),
        (Item("parent control group"), host.cgroup_parent),
        (Item(RUNTIME), host.runtime if host.runtime not in DEFAULT_RUNTIMES else ""),
        (Item(LOG_DRIVER), host.log_config.type),
        (Item(SHARED_MEMORY), host.shm_size if host.shm_size != DEFAULT_SHARED_MEMORY else 0),
        (Item("DNS servers"), find_word(host.dns)),
        (Item("DNS search domains"), find_word(host.dns_search)),
        (Item("DNS options"), find_word(host.dns_options)),
        (Item("device rules"), find_word(host.device_cgroup_rules)),
        (Item("memory limit"), host.memory),
        (Item("memory reservation"), host.memory_reservation),
        (Item("swap limit"), swap),
        (Item("swappiness"), "" if host.memory_swappiness in (None, -1) else str(host.memory_swappiness)),
        (Item("no OOM killer"), host.oom_kill_disable),
        (Item("OOM score"), host.oom_score_adj),
        (Item("CPUs"), host.nano_cpus / 1e9),
        (Item("CPU shares"), host.cpu_shares),
        (Item("CPU period"), host.cpu_period),
        (Item("CPU quota"), host.cpu_quota),
        (Item("CPU set"), host.cpuset_cpus),
        (Item("number of processes"), max(0, host.pids_limit)),
        (Item("block I/O weight"), host.blkio_weight),
    ]
    requests = (
        f"{one.driver} {one.count or ''}{','.join(one.device_ids)} {','.join(sorted(chain(*one.capabilities)))}"
        for one in host.device_requests
    )
    return {
        **keep_set(simple),
        **read_names("added capability", map(read_capability, host.cap_add)),
        **read_names("dropped capability", map(read_capability, host.cap_drop)),
        **read_names("group", host.group_add),
        **read_names("security option", read_security(host.security_opt)),
        **read_names("device request", (" ".join(text.split()) for text in requests)),
        **read_hosts(_part(entry) for entry in host.extra_hosts),
        **{Item("kernel parameter", name): value for name, value in host.sysctls.items()},
        **{Item(LIMIT, one.name): f"{one.soft}:{one.hard}" for one in host.ulimits},
        **{Item(LOG_OPTION, name): value for name, value in host.log_config.config.items()},
        **{Item("annotation", name): value for name, value in host.annotations.items()},
        **{Item("storage option", name): value for name, value in host.storage_opt.items()},
        **{
            Item("device", one.path_in_container): f"{one.path_on_host} ({one.cgroup_permissions})"
            for one in host.devices
        },
    }


def read_mode(text: str) -> str:
    """A namespace: ``host``, that of another container, or empty for one of its own."""
    if text.partition(":")[0] in ("container", "service"):
        return "that of another container"
    return "" if text in _PRIVATE else text


def _part(entry: str) -> tuple[str, str]:
    name, _, address = entry.partition(":")
    return name, address


def _read_networks(container: ContainerSettings, left_out: Collection[str]) -> Items:
    found: Items = {}
    for name, endpoint in container.network_settings.networks.items():
        if name in left_out:
            continue
        found[Item(NETWORK, name)] = YES_IN
        own = {container.own_name, container.short_id} - {container.service}
        for alias in endpoint.aliases:
            if alias not in own and not container.made_name.fullmatch(alias):
                found[Item(ALIAS, f"{alias} in {name}")] = YES_IN
        if endpoint.mac_address:
            found[Item(MAC, endpoint.mac_address.lower())] = YES_IN
        for address in (endpoint.asked.ipv4_address, endpoint.asked.ipv6_address):
            if address:
                found[Item(ADDRESS, f"{address} in {name}")] = YES_IN
        found |= read_names(LINK, _find_links(endpoint.links))
    return found


# Compose gives a linked container the name that it was asked for, and its own with and without the project.
def _find_links(links: Collection[str]) -> list[str]:
    containers = tuple({link.rpartition(":")[0] for link in links})
    return [
        name
        for name in (link.rpartition(":")[2] for link in links)
        if not any(one.endswith(name) for one in containers)
    ]


def _find_ports(host: HostConfigDocument) -> list[tuple[str, str, str]]:
    return [
        (port, place.host_ip, place.host_port) for port, places in host.port_bindings.items() for place in places or ()
    ]


YES_IN = "connected"
