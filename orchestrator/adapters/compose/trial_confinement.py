"""What a container on a stage may have of the host, and what it goes without; pure.

Reading a folder of the host harms nobody, but sockets and pipes in it work however it is mounted, so they are covered.
"""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from orchestrator.adapters.compose.rendering import Json, JsonObject, list_objects, read_object

#: Of the rights that a service may add only these reach nothing outside of its container.
_HARMLESS_RIGHTS = frozenset(
    {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "IPC_LOCK", "KILL", "LEASE", "MKNOD"}
    | {"NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT", "SYS_NICE"}
)
# With raw packets a container reaches the host by the bridge, whatever its routes are.
_NO_RIGHTS = ("NET_RAW", "NET_ADMIN")
# With an address of IPv6, or another way to answer for addresses, there would be a way to the host.
_NETWORK_SETTINGS = ("net.ipv6.", "net.ipv4.conf.", "net.ipv4.ip_forward")
_OF_THE_SYSTEM = ("/proc", "/sys", "/dev", "/run", "/var/run")
_ENGINE_SOCKETS = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
)
_MOST_COVERED = 16
_COVER = "/dev/null"
_STRONG = ("privileged", "devices", "gpus", "pid", "ipc", "uts", "userns_mode", "cgroup", "volumes_from")
_GATEWAY = "host-gateway"
_HARMLESS_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


@dataclass(frozen=True)
class Sight:
    """What a look at a path of the host has shown.

    ``doors`` are the sockets and pipes below it, by their paths relative to it, ``.`` for itself; None where it could
    not be looked through.
    """

    is_folder: bool = True
    doors: tuple[str, ...] | None = ()


def is_closed(source: str, sights: Mapping[str, Sight]) -> bool:
    """Whether a path of the host stays outside: it is a door, one of the system's own, or nobody could look at it."""
    if _is_of_the_system(source):
        return True
    sight = sights.get(source, Sight(doors=None))
    return "." in (sight.doors or ()) or (sight.doors is None and not sight.is_folder)


def is_looked_at(source: str) -> bool:
    """Whether it matters what a look at a path of the host would show."""
    return source.startswith("/") and not _is_of_the_system(source)


def mount_from_host(source: str, target: str, sights: Mapping[str, Sight]) -> list[Json]:
    """A path of the host for reading, its doors covered; an empty volume where they are too many, or not known."""
    if is_closed(source, sights):
        return []
    sight = sights.get(source, Sight(doors=None))
    if sight.doors is None or len(sight.doors) > _MOST_COVERED:
        return [{"type": "volume", "target": target}]
    covers: list[Json] = [
        {"type": "bind", "source": _COVER, "target": str(PurePosixPath(target, door)), "read_only": True}
        for door in sight.doors
    ]
    return [{"type": "bind", "source": source, "target": target, "read_only": True}, *covers]


def build_rights(service: JsonObject) -> JsonObject:
    """What a service may do inside of its container, with nothing that reaches out of it."""
    added = [str(right) for right in _list(service.get("cap_add")) if _is_harmless(str(right))]
    dropped = dict.fromkeys((*map(str, _list(service.get("cap_drop"))), *_NO_RIGHTS))
    settings = {name: value for name, value in read_object(service.get("sysctls")).items() if not _is_network(name)}
    built: JsonObject = {"cap_add": [*added], "cap_drop": [*dropped], "sysctls": settings}
    for hook in ("post_start", "pre_stop"):
        built[hook] = [{**one, "privileged": False} for one in list_objects(service.get(hook))]
    return {name: value for name, value in built.items() if value}


def find_limits(name: str, service: JsonObject, sights: Mapping[str, Sight], writable: Sequence[str]) -> list[str]:
    """What a service goes without on a stage, as parts of a sentence."""
    found = [_tell_mount(name, mount, sights, writable) for mount in list_objects(service.get("volumes"))]
    found += [f"{name} is without `{word}`" for word in _STRONG if service.get(word)]
    mode = str(service.get("network_mode") or "")
    if mode == "host" or mode.startswith("container:"):
        found.append(f"{name} is without `network_mode: {mode}`")
    if rights := [str(right) for right in _list(service.get("cap_add")) if not _is_harmless(str(right))]:
        found.append(f"{name} is without the rights {', '.join(rights)}")
    if _GATEWAY in str(service.get("extra_hosts") or ""):
        found.append(f"{name} does not reach this host")
    return [said for said in found if said]


def _tell_mount(name: str, mount: JsonObject, sights: Mapping[str, Sight], writable: Sequence[str]) -> str:
    kind, source, target = mount.get("type"), str(mount.get("source") or ""), str(mount.get("target"))
    if kind == "volume":
        return f"the volume {source or 'without a name'} at {target} of {name} is empty"
    if kind != "bind":
        return ""
    if any(is_inside(path, target) for path in writable):
        return f"{target} of {name} is empty"
    if is_closed(source, sights):
        return f"{source} of this host is not there for {name}"
    doors = sights.get(source, Sight(doors=None)).doors
    if doors is None or len(doors) > _MOST_COVERED:
        return f"{target} of {name} is empty, because {source} could not be looked through for sockets"
    closed = f" and has no sockets ({', '.join(doors[:3])})" if doors else ""
    return f"{source} at {target} of {name} can only be read{closed}" if closed or not mount.get("read_only") else ""


def is_inside(path: str, folder: str) -> bool:
    """Whether a path is a folder or below it."""
    return PurePosixPath(path).is_relative_to(PurePosixPath(folder or "."))


def _is_of_the_system(source: str) -> bool:
    path = PurePosixPath(posixpath.normpath(source or "/"))
    if str(path) in _HARMLESS_DEVICES:
        return False
    inside = any(path.is_relative_to(folder) for folder in _OF_THE_SYSTEM)
    return inside or any(is_inside(socket, str(path)) for socket in _ENGINE_SOCKETS)


def _is_harmless(right: str) -> bool:
    return right.upper().removeprefix("CAP_") in _HARMLESS_RIGHTS


def _is_network(setting: str) -> bool:
    return setting.startswith(_NETWORK_SETTINGS)


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
