"""What a container is compared by: items with a value each, spelt alike for both sides; pure.

An item that is not set, or is as the engine has it by itself, is left out.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

ALIAS, NETWORK, ADDRESS, LINK, MAC = "alias", "network", "address", "link", "MAC address"
NETWORK_MODE = "network mode"
MOUNT, ENVIRONMENT, LABEL, PORT = "mount", "environment variable", "label", "port"
RESTART, REPLICAS, IMAGE, CONTAINER_NAME = "restart policy", "replicas", "image", "container name"
LOG_DRIVER, LOG_OPTION, RUNTIME, LIMIT = "log driver", "log option", "runtime", "process limit"
COMMAND, ENTRYPOINT, USER, FOLDER, EXPOSED = "command", "entrypoint", "user", "working directory", "exposed port"
STOP_SIGNAL, HEALTH, SHARED_MEMORY, INIT = "stop signal", "health check", "shared memory", "init process"
CONTROL_GROUP, TEXT = "control group", "text of"

YES = "yes"
ANONYMOUS = "a volume without a name"
DEFAULT_LOG_DRIVER, DEFAULT_SHARED_MEMORY = "json-file", 64 * 1024**2
DEFAULT_RUNTIMES = ("runc", "io.containerd.runc.v2")

_TOOLS_LABELS = ("com.docker.compose.", "desktop.docker.io/")
# Docker's command line hands them to every container, from its own configuration.
_PROXIES = frozenset({"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"})
_UNITS_NS = {"h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "µs": 1000}
_PART = re.compile(r"(?<![\d.])([\d.]+)(h|ms|m|s|us|µs|ns)")
_SIZE = re.compile(r"(?i)(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?")
_FACTORS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_NOT_COMPARED = ("label=disable", "systempaths=unconfined")  # added by the engine, or by Compose in another form


class Item(NamedTuple):
    """One setting; ``name`` where there are several of the kind."""

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


Items = dict[Item, str]


def keep_set(pairs: Iterable[tuple[Item, object]]) -> Items:
    """The items that have a value other than nothing; True is yes."""
    texts = ((item, YES if value is True else str(value)) for item, value in pairs if value not in (None, "", 0, False))
    return dict(texts)


def read_names(kind: str, names: Iterable[str]) -> Items:
    """Things that are there or not."""
    return {Item(kind, name): YES for name in names}


def read_labels(labels: Mapping[str, str]) -> Items:
    """Labels but those of Compose itself. An empty one is there, too."""
    return {
        Item(LABEL, name): value or "(empty)" for name, value in labels.items() if not name.startswith(_TOOLS_LABELS)
    }


def read_variables(variables: Mapping[str, str]) -> Items:
    """Environment variables; one that is set to nothing is set."""
    return {Item(ENVIRONMENT, name): f"={value}" for name, value in variables.items()}


def is_from_client(item: Item) -> bool:
    """Whether Docker's command line may have added it for its own reasons."""
    return item.kind == ENVIRONMENT and item.name.lower() in _PROXIES


def read_capability(text: str) -> str:
    """``CAP_NET_ADMIN`` and ``net_admin`` alike."""
    return text.upper().removeprefix("CAP_")


def read_signal(text: str) -> str:
    """``SIGINT`` and ``INT`` alike."""
    return text.upper().removeprefix("SIG")


def read_path(text: str) -> str:
    """A place in a container."""
    return posixpath.normpath(text) if text else ""


def read_security(options: Iterable[str]) -> Iterator[str]:
    """Security options in one spelling; of a seccomp profile only that there is one: a file's content runs."""
    for option in options:
        name, separator, value = (option if "=" in option else option.replace(":", "=", 1)).partition("=")
        text = f"{name}={value if separator else 'true'}"
        if name == "seccomp" and value != "unconfined":
            text = "seccomp"
        if text not in _NOT_COMPARED:
            yield text


def read_hosts(entries: Iterable[tuple[str, str]]) -> Items:
    """Entries of the hosts file; one name may have several addresses."""
    found: dict[str, set[str]] = {}
    for name, address in entries:
        found.setdefault(name, set()).add(address.strip("[]"))
    return {Item("host entry", name): ", ".join(sorted(addresses)) for name, addresses in found.items()}


def read_ports(published: Iterable[tuple[str, str, str]]) -> Items:
    """Ports by what they are in the container: ``(80/tcp, address of the host, port of the host)``."""
    found: dict[str, set[str]] = {}
    for port, address, place in published:
        where = place if place not in ("", "0") else "any free port"
        found.setdefault(port, set()).add(f"{address}:{where}" if address else where)
    return {Item(PORT, port): ", ".join(sorted(places)) for port, places in found.items()}


def read_duration_ns(text: object) -> int:
    """A duration as Compose writes it (``1m30s``) in nanoseconds; 0 where there is none."""
    if isinstance(text, (int, float)):
        return int(text)
    return sum(int(float(number) * _UNITS_NS.get(unit, 1)) for number, unit in _PART.findall(str(text or "")))


def read_size(text: object) -> int:
    """A size in bytes, with or without a unit; -1 and 0 are no limit."""
    if isinstance(text, (int, float)):
        return max(0, int(text))
    found = _SIZE.fullmatch(str(text or "").strip())
    return int(float(found[1]) * _FACTORS[found[2].lower()]) if found else 0


def merge_health(own: Mapping[str, object], inherited: Mapping[str, object]) -> Items:
    """A health check, with what it does not say as the image has it."""
    merged = {name: own.get(name) or inherited.get(name) or 0 for name in {*own, *inherited}}
    test = merged.get("test")
    words = [str(word) for word in test] if isinstance(test, (list, tuple)) else []
    if words[:1] == ["NONE"]:
        return {Item(HEALTH): "none"}
    if not words:
        return {}
    rest = ((Item(HEALTH, name), _show_part(name, value)) for name, value in merged.items() if name != "test")
    return {Item(HEALTH): " ".join(words), **keep_set(rest)}


def _show_part(name: str, value: object) -> object:
    return value if name == "retries" or not isinstance(value, int) or not value else f"{value / 1e9:g} s"


def find_word(values: Sequence[str]) -> str:
    """Several values as one text."""
    return ", ".join(values)
