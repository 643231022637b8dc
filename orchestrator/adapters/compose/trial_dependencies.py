"""What an app needs and does not name in `depends_on`, found by what it names and has in its networks; pure.

A cache that stands in a variable only (``redis://cache:6379``) is as much needed as one that is depended on.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
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

_MOST = 8
_TEXT_BYTES = 256 * 1024
_NAMING = ("environment", "command", "entrypoint", "links")
_MODES = ("network_mode", "pid", "privileged", "devices", "use_api_socket")  # what is never needed, only dangerous
_USERS_PORTS = ("80", "443")
_SOCKET_NAME = "docker.sock"


@dataclass(frozen=True)
class Needs:
    """Services to have beside the ones that are tried, and why others that are named are not had."""

    found: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


def find_needs(rendering: str, staged: Sequence[str], running: Collection[str]) -> Needs:
    """What services on a stage name, in any depth; ``running`` are those whose image is known to be here.

    What depends on a service that is tried is not started with it: it would start that service too early.
    """
    known = read_services(parse_rendering(rendering))
    found: list[str] = []
    left_out: dict[str, str] = {}
    waiting = [name for name in staged if name in known]
    while waiting:
        naming = waiting.pop(0)
        candidates = [one for one in known if one not in {*staged, *found, *left_out}]
        named = [one for one in candidates if _is_named(known, naming, one)]
        depended = [one for one in find_dependencies(rendering, found) if one in candidates and one not in named]
        for one in (*named, *depended):
            reason = _find_reason(known[one], one in running, len(found))
            if reason:
                left_out[one] = f"{naming} names it, but {reason}"
            else:
                found.append(one)
                waiting.append(one)
    return Needs(tuple(found), left_out)


def _is_named(known: Mapping[str, JsonObject], naming: str, other: str) -> bool:
    shared = _networks(known[naming]) & _networks(known[other])
    if not shared:
        return False
    text = "\n".join(_read_texts(known[naming]))[:_TEXT_BYTES]
    return any(_pattern(name).search(text) for name in _names(other, known[other]))


def _networks(service: JsonObject) -> set[str]:
    return {*read_object(service.get("networks"))} or ({"default"} if not service.get("network_mode") else set())


def _names(key: str, service: JsonObject) -> list[str]:
    found: list[Json] = [key, service.get("container_name"), service.get("hostname")]
    for network in read_object(service.get("networks")).values():
        aliases = read_object(network).get("aliases")
        found += aliases if isinstance(aliases, list) else []
    return [str(name) for name in dict.fromkeys(map(str, filter(None, found)))]


# A host name stands alone, or between `//`, `@`, `,`, `=` and a port or a path; never inside of a path or another name.
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?:(?<![\w.\-/])|(?<=//)){re.escape(name)}(?![\w-]|\.\w)", re.IGNORECASE)


def _read_texts(service: JsonObject) -> Iterator[str]:
    for key in _NAMING:
        yield from _read_strings(service.get(key))


def _read_strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for entry in value:
            yield from _read_strings(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _read_strings(entry)


def _find_reason(service: JsonObject, runs: bool, many: int) -> str:
    said = [key for key in _MODES if service.get(key)]
    mounts = list_objects(service.get("volumes"))
    published = {str(port.get("published")) for port in list_objects(service.get("ports"))}
    if said:
        return f"it has `{said[0]}`"
    if any(str(mount.get("source") or "").endswith(_SOCKET_NAME) for mount in mounts):
        return "it works with the engine's socket"
    if published & {*_USERS_PORTS}:
        return "users reach it by the ports of the web"
    if not runs:
        return "it does not run"
    return f"there are {_MOST} others already" if many >= _MOST else ""
