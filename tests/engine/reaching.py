"""What a container reaches, tried from inside: a script for Python in it, and what is planted around it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from deploy.demo.bed import run_command

# A connect of UDP asks for a route and sends nothing.
SCRIPT = """\
import json, os, socket, stat, sys

def reaches(kind, place, port):
    try:
        if kind == "unix":
            door = socket.socket(socket.AF_UNIX)
            door.settimeout(3)
            door.connect(place)
            return True
        if kind == "pipe":
            return stat.S_ISFIFO(os.stat(place).st_mode)
        if kind == "name":
            return bool(socket.getaddrinfo(place, port))
        if kind == "route":
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect((place, port))
            return True
        return bool(socket.create_connection((place, port), timeout=3).recv(5) == b"found")
    except OSError:
        return False

print(json.dumps([reaches(*one) for one in json.loads(sys.argv[1])]))
"""


@dataclass(frozen=True)
class Door:
    """Something to reach: ``kind`` is tcp, unix, pipe, name or route."""

    kind: str
    place: str
    port: int = 0


@dataclass
class Planted:
    """Listeners of this host, and the port of those that listen for TCP."""

    port: int
    stack: ExitStack = field(default_factory=ExitStack)

    def listen_at(self, path: Path) -> None:
        """Listen at a socket in a folder."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o777)
        self.stack.enter_context(_serving(listener))


@contextmanager
def planted() -> Iterator[Planted]:
    """Listen on every address of this host, of both kinds, until the end."""
    with ExitStack() as stack:
        listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        stack.enter_context(_serving(listener))
        yield Planted(listener.getsockname()[1], stack)


def find_host_addresses() -> set[str]:
    """All addresses of this host but those of loopback, IPv6 of one link by the container's name for it."""
    interfaces = json.loads(run_command(["ip", "-json", "address"], timeout_s=30))
    found = [(one["ifname"], info) for one in interfaces for info in one["addr_info"]]
    return {
        f"{info['local']}%eth0" if info["scope"] == "link" else info["local"] for name, info in found if name != "lo"
    }


def try_doors(container_id: str, doors: list[Door]) -> set[Door]:
    """Which of them a running container with Python reaches."""
    return read_reached(doors, run_command(["docker", "exec", container_id, *build_command(doors)], timeout_s=120))


def build_command(doors: list[Door]) -> list[str]:
    """What tries them from inside and prints a line that `read_reached` reads."""
    return ["python", "-c", SCRIPT, json.dumps([(door.kind, door.place, door.port) for door in doors])]


def read_reached(doors: list[Door], said: str) -> set[Door]:
    """Those that were reached."""
    return {door for door, reached in zip(doors, json.loads(said), strict=True) if reached}


@contextmanager
def _serving(listener: socket.socket) -> Iterator[None]:
    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):  # who asked may have gone
                connection.sendall(b"found")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
