"""A container registry of its own on loopback, for as long as it is needed."""

import http.client
import random
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import docker
from docker.models.containers import Container

from .commands import BedError

BINARY = "/usr/bin/docker-registry"
IMAGE = "registry:2"
READY_TIMEOUT_S = 20
STOP_TIMEOUT_S = 5
PORTS = (20_000, 32_000)
PORT_ATTEMPTS = 100

_CONFIG = """\
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {storage}}}
  delete: {{enabled: true}}
http:
  addr: 127.0.0.1:{port}
"""


class Registry:
    """Debian's registry as a process of ours, or Docker's image of it where only that is there.

    Keeps its port and its content over `stop` and `start`: a registry that is gone for a while can be played.
    """

    def __init__(self, client: docker.DockerClient, folder: Path, labels: dict[str, str] | None = None) -> None:
        """Keep content, configuration and log below `folder`, which exists."""
        self._client = client
        self._folder = folder
        self._labels = labels or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._container: Container | None = None
        self.port = find_free_port()

    @property
    def address(self) -> str:
        """Host and port, the first part of a reference."""
        return f"127.0.0.1:{self.port}"

    @property
    def process_id(self) -> int | None:
        """Process of the registry; none where it is a container, or stopped."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start, and return when it answers; raises `BedError`."""
        if self._container is not None:
            self._container.start()
        elif Path(BINARY).exists():
            self._start_process()
        else:
            self._start_container()
        self._await_ready()

    def stop(self) -> None:
        """End exactly what `start` started; nothing when it does not run."""
        if self._process is not None:
            _end(self._process)
            self._process = None
        if self._container is not None:
            self._container.stop(timeout=STOP_TIMEOUT_S)

    def remove(self) -> None:
        """Stop for good, and remove what is not in the folder."""
        self.stop()
        if self._container is not None:
            self._container.remove(force=True, v=True)
            self._container = None

    def push(self, reference: str) -> str:
        """Push a local image that is named after this registry and return its digest; raises `BedError`."""
        repository, _, tag = reference.rpartition(":")
        digest = ""
        for event in self._client.api.push(repository, tag=tag, stream=True, decode=True):
            if "error" in event:
                raise BedError(f"pushing {reference} failed: {event['error']}")
            digest = event.get("aux", {}).get("Digest", digest)
        if not digest:
            raise BedError(f"pushing {reference} ended without a digest")
        return digest

    def forget_images(self) -> None:
        """Remove every name on the engine that points to this registry, and what then has no name."""
        for image in self._client.images.list():
            names = [*image.tags, *image.attrs.get("RepoDigests", [])]
            for name in names:
                if name.startswith(f"{self.address}/"):
                    _remove_name(self._client, name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def _start_process(self) -> None:
        storage = self._folder / "storage"
        storage.mkdir(exist_ok=True)
        config = self._folder / "registry.yml"
        config.write_text(_CONFIG.format(storage=storage, port=self.port), encoding="utf-8")
        with (self._folder / "registry.log").open("ab") as log:
            # A session of its own: Ctrl-C reaches us first, and we end it in good order.
            self._process = subprocess.Popen(
                [BINARY, "serve", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _start_container(self) -> None:
        self._container = self._client.containers.run(
            IMAGE,
            detach=True,
            labels=self._labels,
            ports={"5000/tcp": ("127.0.0.1", self.port)},
        )

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self._answers():
            if self._process is not None and self._process.poll() is not None:
                words = (self._folder / "registry.log").read_text(errors="replace")[-2000:]
                raise BedError(f"the registry ended at once:\n{words}")
            if time.monotonic() > deadline:
                self.stop()
                raise BedError(f"the registry on {self.address} does not answer after {READY_TIMEOUT_S} s")
            time.sleep(0.02)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def find_free_port() -> int:
    """Find a loopback port that nobody listens on, below those of outgoing connections.

    From that range a client that calls a stopped server would sooner or later be given the server's own port,
    and the server could not come back.
    """
    for _ in range(PORT_ATTEMPTS):
        port = random.randint(*PORTS)  # noqa: S311 - no secret
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise BedError(f"{PORT_ATTEMPTS} ports between {PORTS[0]} and {PORTS[1]} are all taken")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_TIMEOUT_S)


def _remove_name(client: docker.DockerClient, name: str) -> None:
    with suppress(docker.errors.ImageNotFound):  # its last tag went, and the digest with it
        client.images.remove(name)
