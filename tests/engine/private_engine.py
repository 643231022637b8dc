"""An engine of its own that can be killed, with its containers or without, beside the machine's own engine."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import docker

from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline

_START_S = 60
_END_S = 30
_LOAD_S = 300
_POLL_S = 0.05
_PIECE = 64 * 1024
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


class PrivateEngine:
    """A daemon in a network and a mount namespace of its own; needs root. Leaving it removes all that it had.

    In a network of its own, because a second daemon would rewrite the packet filter and the bridge of the first. The
    namespaces are held by a process that outlives the daemon, so that it finds its mounts again when it comes back.
    """

    def __init__(self, **settings: object) -> None:
        """Do nothing yet; `settings` are those of its `daemon.json`."""
        self._settings = settings
        self._folder = Path()
        self._holder: subprocess.Popen[bytes] | None = None
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """What `DOCKER_HOST` is set to."""
        return f"unix://{self._folder}/docker.sock"

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="engine-"))
        (self._folder / "daemon.json").write_text(json.dumps(self._settings))
        hold = "ip link set lo up && touch held && exec sleep infinity"
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", hold],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _within(_START_S).poll(lambda: (self._folder / "held").exists() or None, every_s=_POLL_S)
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def start(self) -> None:
        """Start the daemon and wait until it answers; containers come back as their restart policies say."""
        argv = ["nsenter", *self._namespaces(), "dockerd", "--host", self.address]
        argv += ["--config-file", str(self._folder / "daemon.json"), "--pidfile", str(self._folder / "docker.pid")]
        argv += ["--data-root", str(self._folder / "data"), "--exec-root", str(self._exec_root)]
        with (self._folder / "dockerd.log").open("ab") as log:
            self._daemon = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        _within(_START_S).poll(self._answers, every_s=_POLL_S)

    def kill(self) -> None:
        """SIGKILL the daemon alone, and return when its process is gone; its containers stay at work."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait()
            self._daemon = None
        # Its containerd is told by the kernel to follow; the next daemon would refuse beside it.
        _within(_END_S).poll(lambda: None if self._find(b"containerd\0") else True, every_s=_POLL_S)

    def power_off(self) -> None:
        """Kill the daemon, all containers and what holds them, as the end of a machine does."""
        self.kill()
        _within(_END_S).poll(self._nothing_left, every_s=_POLL_S)

    def remove(self) -> None:
        """End everything, and remove the folder."""
        self.power_off()
        if self._holder is not None:
            self._holder.kill()
            self._holder.wait()
            self._holder = None
        shutil.rmtree(self._folder)

    @property
    def root(self) -> Path:
        """The file system as the engine sees it, with what is mounted for it alone."""
        assert self._holder is not None
        return Path(f"/proc/{self._holder.pid}/root")

    def cover(self, folder: str) -> None:
        """Let the engine see an empty folder in this place, whatever the machine has there."""
        self._mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", folder)

    def take_usual_place(self) -> None:
        """Let what the engine runs find its socket where an engine has it, in place of the machine's."""
        self._mount("--bind", f"{self._folder}/docker.sock", "/var/run/docker.sock")

    def _mount(self, *words: str) -> None:
        subprocess.run(["nsenter", *self._namespaces(), "mount", *words], check=True, timeout=_END_S)

    def connect(self) -> docker.DockerClient:
        """A client of this engine; the caller closes it."""
        return docker.DockerClient(self.address, timeout=60)

    def load(self, image: str) -> None:
        """Bring an image over from the machine's own engine."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            load = ["docker", "--host", self.address, "load", "--quiet"]
            subprocess.run(load, stdin=saved.stdout, stdout=subprocess.DEVNULL, check=True, timeout=_LOAD_S)
        assert saved.returncode == 0

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let this thread, and the threads and processes that it starts, live in the engine's network."""
        assert self._holder is not None
        with Path("/proc/thread-self/ns/net").open() as outside:
            _enter_network(Path(f"/proc/{self._holder.pid}/ns/net"))
            try:
                yield
            finally:
                _enter_network(Path(f"/proc/self/fd/{outside.fileno()}"))

    @contextmanager
    def reaching(self, port: int) -> Iterator[None]:
        """Let a loopback port of the machine be reached in the engine's network under the same number."""
        with self.inside():
            relay = _Relay(port)
        thread = threading.Thread(target=relay.serve_forever, name="relay", daemon=True)
        thread.start()
        try:
            yield
        finally:
            relay.shutdown()
            relay.server_close()
            thread.join()

    @property
    def _exec_root(self) -> Path:
        return self._folder / "exec"

    def _namespaces(self) -> list[str]:
        assert self._holder is not None
        return [f"--net=/proc/{self._holder.pid}/ns/net", f"--mount=/proc/{self._holder.pid}/ns/mnt"]

    def _answers(self) -> bool | None:
        assert self._daemon is not None
        if self._daemon.poll() is not None:
            raise AssertionError((self._folder / "dockerd.log").read_text(errors="replace")[-3000:])
        with suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_END_S)
            asking.connect(f"{self._folder}/docker.sock")
            asking.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in asking.recv(_PIECE) or None
        return None

    def _nothing_left(self) -> bool | None:
        left = self._find()
        for process in left:
            kill_tree(process)
        return None if left else True

    def _find(self, program: bytes = b"") -> list[int]:
        """Processes of this engine: its exec root is among their arguments."""
        root = os.fsencode(self._exec_root) + b"/"
        lines = {process: _read(Path(f"/proc/{process}/cmdline")) for process in _list_processes()}
        return [process for process, line in lines.items() if root in line and program in line]


class _Relay(socketserver.ThreadingTCPServer):
    """Listens where it was made, and connects from where it is served."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Passage)
        self.port = port


class _Passage(socketserver.BaseRequestHandler):
    """One connection, passed on to the same port of the machine."""

    server: _Relay

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.port)) as machine:
            back = threading.Thread(target=_pass_on, args=(machine, self.request), daemon=True)
            back.start()
            _pass_on(self.request, machine)
            back.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def kill_tree(process: int) -> None:
    """SIGKILL a process and all that it has started; the parents first, so that none of them reacts."""
    children = _list_children()
    doomed = [process]
    for one in doomed:
        doomed += children.get(one, [])
    for one in doomed:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def _list_children() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for process in _list_processes():
        # The name in brackets may hold anything; what follows it is state and parent.
        fields = _read(Path(f"/proc/{process}/stat")).rpartition(b")")[2].split()
        if fields:
            children.setdefault(int(fields[1]), []).append(process)
    return children


def _list_processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it is gone


def _enter_network(namespace: Path) -> None:
    with namespace.open() as stream:
        if _LIBC.setns(stream.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network {namespace}")


def _within(seconds: float) -> Deadline:
    return Deadline(SystemClock(), seconds, what="The private engine")
