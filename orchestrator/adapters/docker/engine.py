"""The door to the engine: its API in our words, its errors translated; lazy."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import closing, suppress
from functools import cached_property, partial
from itertools import islice
from typing import Literal

import docker
import requests
from docker.errors import DockerException, NotFound
from docker.types import CancellableStream, LogConfig, Mount

from orchestrator.adapters.docker.answers import read, read_list
from orchestrator.adapters.docker.errors import explain_lookup, explain_pull, translated
from orchestrator.adapters.docker.image_pull import DownloadedBytes, explain_pull_failure
from orchestrator.adapters.docker.models import (
    Connection,
    ContainerDocument,
    DistributionDocument,
    EngineDocument,
    ImageDocument,
    ListedDocument,
    NamedDocument,
    NetworkKindDocument,
    PullEvent,
    VolumesDocument,
)
from orchestrator.adapters.docker.settings import ContainerSettings, ImageSettings
from orchestrator.adapters.host.blocking import Flow, call, run_aside
from orchestrator.core.deadline import Deadline
from orchestrator.core.model.images import Pin
from orchestrator.core.ports.progress import Report

_CALL_TIMEOUT_S = 60
_WAIT_S = 1  # who waits for a job hears what it says once in a while
_DEFAULT_GRACE_S = 10  # the engine's own on Linux
_ASK_EVERY_S = 0.05
_PLACEHOLDER_S = "120"
_FILE_CHUNKS = 16  # of 2 MiB at most: what is longer is no text of a compose file
_LOCAL_URL = "http+docker://"


class DockerEngine:
    """One engine. ``host`` as in ``DOCKER_HOST``; None follows the environment and the docker context.

    Every method raises `PlatformError` with ``engine.unreachable`` when the engine does not answer, and with
    ``engine.refused`` when it answers with an error that has no name of its own here.
    """

    def __init__(self, host: str | None = None, environment: Mapping[str, str] | None = None) -> None:
        self.host = host
        self._environment = environment

    @classmethod
    def connect(cls, host: str | None = None, environment: Mapping[str, str] | None = None) -> DockerEngine:
        """The engine that the first call will connect to; without a host the one that ``environment`` means."""
        return cls(host, environment)

    def inspect(self) -> EngineDocument:
        """Who the engine is."""
        with translated("say who it is"):
            return read(EngineDocument, self.client.api.info())

    def free_bytes(self, folder: str) -> int | None:
        """Room in a folder of the engine's machine; None when that is another machine, or hidden from us."""
        if not self.is_local():
            return None
        with suppress(OSError):
            return shutil.disk_usage(folder).free
        return None

    def is_local(self) -> bool:
        """Whether it runs on this machine, so that its networks are this machine's too."""
        with translated("say where it is"):
            return self.client.api.base_url.startswith(_LOCAL_URL)

    def find_image(self, reference: str) -> ImageDocument | None:
        """The local image of a reference or id."""
        with translated(f"inspect image {reference}"), suppress(NotFound):
            return read(ImageDocument, self._inspect_image(reference))
        return None

    def find_distribution(self, reference: str) -> DistributionDocument:
        """Ask the registry through the engine, with the engine's proxies and the user's credentials.

        Raises:
            PlatformError: ``image.not_found``, ``image.denied``, ``image.unreachable``.
        """
        with translated(f"look up {reference}", explain_lookup(reference)):
            return read(DistributionDocument, self._inspect_distribution(reference))

    def pull(self, repository: str, pin: Pin, *, report: Report, deadline: Deadline) -> None:
        """Download ``repository@digest``; the bytes of all layers are one progress.

        Raises:
            PlatformError: ``pull.not_found``, ``pull.denied``, ``pull.rate_limited``, ``pull.no_space``,
                ``pull.failed``.
        """
        reference = f"{repository}@{pin.digest}"
        downloaded = DownloadedBytes(f"Downloading {repository}:{pin.tag}")
        responses: list[requests.Response] = []

        def produce() -> Iterator[PullEvent]:
            # Of its own, so that cancelling ends this download and nothing else.
            client = _connect(self.host, self._environment)
            client.api.hooks["response"].append(lambda response, **_: responses.append(response))
            events = client.api.pull(repository, tag=pin.digest, stream=True, decode=True)
            return (read(PullEvent, event) for event in events)

        flow = Flow(produce, lambda: _close(responses)).read(deadline)
        with translated(f"pull {reference}", explain_pull(reference)), closing(flow) as events:
            for event in events:
                if event.error:
                    raise explain_pull_failure(reference, event.error)
                if (progress := downloaded.add(event)) is not None:
                    report(progress)

    def tag(self, image: str, name: str) -> None:
        """Give an image the name ``repository:tag``."""
        repository, _, tag = name.rpartition(":")
        with translated(f"name image {image} {name}"):
            self.client.api.tag(image, repository, tag)

    def remove_name(self, name: str) -> None:
        """Take a name from an image; nothing if there is no such name."""
        with translated(f"forget image {name}"), suppress(NotFound):
            self.client.api.remove_image(name)

    def find_containers(self, labels: Mapping[str, str]) -> tuple[ContainerDocument, ...]:
        """All containers with these labels, running or not, by name."""
        with translated("list containers"):
            listed = read_list(ListedDocument, self.client.api.containers(all=True, filters={"label": _pairs(labels)}))
        found = (self.find_container(entry.id) for entry in listed)
        return tuple(sorted((one for one in found if one is not None), key=lambda one: one.name))

    def list_containers(self) -> tuple[ListedDocument, ...]:
        """All containers of the engine, running or not, in one call."""
        with translated("list containers"):
            return read_list(ListedDocument, self.client.api.containers(all=True))

    def find_container(self, name: str) -> ContainerDocument | None:
        """A container by name or id."""
        with translated(f"inspect container {name}"), suppress(NotFound):
            return read(ContainerDocument, self.client.api.inspect_container(name))
        return None

    def find_settings(self, labels: Mapping[str, str]) -> tuple[ContainerSettings, ...]:
        """All settings of the containers with these labels, running or not, by name."""
        with translated("list containers"):
            listed = read_list(ListedDocument, self.client.api.containers(all=True, filters={"label": _pairs(labels)}))
        found: list[ContainerSettings] = []
        for entry in listed:
            with translated(f"inspect container {entry.id[:12]}"), suppress(NotFound):
                found.append(read(ContainerSettings, self.client.api.inspect_container(entry.id)))
        return tuple(sorted(found, key=lambda one: one.name))

    def find_image_settings(self, image_id: str) -> ImageSettings | None:
        """What a container of this image has where nothing else is said."""
        with translated(f"inspect image {image_id}"), suppress(NotFound):
            return read(ImageSettings, self._inspect_image(image_id))
        return None

    def read_file(self, container_id: str, path: str) -> bytes | None:
        """A small file of a container; None where there is none, or nothing that can be read from outside."""
        with translated(f"read a file of {container_id[:12]}"), suppress(NotFound, tarfile.TarError):
            chunks, _ = self.client.api.get_archive(container_id, path)
            with tarfile.open(fileobj=io.BytesIO(b"".join(islice(chunks, _FILE_CHUNKS)))) as archive:
                file = archive.extractfile(archive.getmembers()[0])
                return file.read() if file is not None else None
        return None

    def set_restart_policy(self, container_id: str, name: str, attempts: int = 0) -> None:
        """Change what happens when the container ends; it goes on as it is."""
        policy = {"Name": name, "MaximumRetryCount": attempts}
        with translated("change a restart policy"):
            self.client.api.update_container(
                container_id,
                restart_policy=policy,  # type: ignore[arg-type] # the stub lacks "no" and "unless-stopped"
            )

    def start_container(self, container: ContainerDocument) -> None:
        """Start it; nothing if it runs."""
        with translated(f"start container {container.name}"):
            self.client.api.start(container.id)

    def await_end(self, name: str, deadline: Deadline) -> None:
        """Wait until a container is over, for a while at most; it may go on then."""
        with translated(f"wait for container {name}"), suppress(NotFound):
            call(lambda: self.client.api.wait(name, timeout=_WAIT_S), deadline)

    def stop_containers(
        self,
        containers: Sequence[ContainerDocument],
        deadline: Deadline,
        *,
        at_once: bool = False,
        meanwhile: Callable[[], bool] | None = None,
    ) -> None:
        """Stop them side by side, each with its own grace period, waiting no longer than the deadline.

        ``at_once`` and ``meanwhile`` as in `Workloads.stop_services`.
        """
        stopping = [run_aside(partial(self.end_container, one, at_once=at_once)) for one in containers]
        while meanwhile is not None and not all(each.done() for each in stopping) and meanwhile():
            deadline.pause(_ASK_EVERY_S)

        def finish() -> None:
            wait(stopping)  # also where one of them fails: none is left at it
            for each in stopping:
                each.result()

        if containers:
            call(finish, deadline)

    def end_container(self, container: ContainerDocument, *, at_once: bool = False) -> None:
        """Stop it with its own grace period, however long that is, or without one; nothing if it is gone."""
        grace_s = _DEFAULT_GRACE_S if container.stop_timeout_s is None else container.stop_timeout_s
        if at_once:
            grace_s = 0
        with translated(f"stop container {container.name}"), suppress(NotFound):
            self.client.api.stop(container.id, timeout=grace_s)

    def reconnect_container(self, connection: Connection) -> None:
        """Connect a stopped container anew to one of its networks; links that it has already stay."""
        container = self.find_container(connection.container)
        # None where an earlier attempt was cut off between the two calls.
        network = container.networks.get(connection.network) if container else None
        links = dict.fromkeys((*(network.pairs if network else ()), *connection.links))
        with translated(f"connect container {connection.container} to {connection.network}"):
            if network is not None:
                self.client.api.disconnect_container_from_network(connection.container, connection.network)
            self.client.api.connect_container_to_network(
                connection.container,
                connection.network,
                links=list(links),
                ipv4_address=connection.ipv4_address,
                ipv6_address=connection.ipv6_address,
            )

    def connect_container(self, container_id: str, network: str, aliases: Sequence[str]) -> None:
        """Connect a container to one more network, where it has these names."""
        with translated(f"connect container {container_id[:12]} to {network}"):
            self.client.api.connect_container_to_network(container_id, network, aliases=list(aliases))

    def disconnect_container(self, container_id: str, network: str) -> None:
        """Take a container out of a network."""
        with translated(f"disconnect container {container_id[:12]} from {network}"):
            self.client.api.disconnect_container_from_network(container_id, network)

    def create_inner_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a network that leads nowhere but to this host."""
        with translated(f"create network {name}"):
            self.client.api.create_network(
                name, driver="bridge", internal=True, check_duplicate=True, labels=dict(labels)
            )

    def find_network_driver(self, name: str) -> str | None:
        """What kind of network it is (``bridge``, ``macvlan`` …); None if there is none of this name."""
        with translated(f"inspect network {name}"), suppress(NotFound):
            return read(NetworkKindDocument, self.client.api.inspect_network(name)).driver
        return None

    def start_placeholder(self, name: str, image: str, network: str, labels: Mapping[str, str]) -> None:
        """Start a container that does nothing but have an address in a network for two minutes at most.

        Its image must have a `sleep`.
        """
        with translated(f"start {name}"):
            host = self.client.api.create_host_config(network_mode=network, init=True, auto_remove=True)
            self.client.api.create_container(
                image, [_PLACEHOLDER_S], entrypoint=["sleep"], name=name, labels=dict(labels), host_config=host
            )
            self.client.api.start(name)

    def start_looking(
        self, name: str, image: str, command: Sequence[str], places: Mapping[str, str], labels: Mapping[str, str]
    ) -> None:
        """Run a shell with these words that reads paths of the host (path → where it has it) and reaches nothing."""
        mounts = [Mount(place, path, type="bind", read_only=True) for path, place in places.items()]
        with translated(f"look through {', '.join(places)}"):
            host = self.client.api.create_host_config(
                network_mode="none", mounts=mounts, log_config=LogConfig(type=LogConfig.types.JSON), init=True
            )
            self.client.api.create_container(
                image,
                list(command),
                entrypoint=["sh"],
                name=name,
                user="0:0",
                environment={"LC_ALL": "C"},
                labels=dict(labels),
                host_config=host,
            )
            self.client.api.start(name)

    def end_placeholder(self, name: str) -> None:
        """Remove it at once; nothing if it is gone."""
        with translated(f"remove container {name}"), suppress(NotFound):
            self.client.api.remove_container(name, v=True, force=True)

    def remove_container(self, name: str) -> None:
        """Remove a container that is over, with its anonymous volumes; nothing if it is gone."""
        with translated(f"remove container {name}"), suppress(NotFound):
            self.client.api.remove_container(name, v=True)

    def destroy_container(self, name: str) -> None:
        """End it at once and remove it with its anonymous volumes; nothing if it is gone."""
        with translated(f"remove container {name}"), suppress(NotFound):
            self.client.api.remove_container(name, v=True, force=True)

    def find_networks(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Names of the networks with these labels."""
        with translated("list networks"):
            listed = read_list(NamedDocument, self.client.api.networks(filters={"label": _pairs(labels)}))
        return tuple(entry.name for entry in listed)

    def find_volumes(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Names of the volumes with these labels."""
        with translated("list volumes"):
            listed = read(VolumesDocument, self.client.api.volumes(filters={"label": _pairs(labels)}))
        return tuple(entry.name for entry in listed.volumes)

    def remove_network(self, name: str) -> None:
        """Remove a network that nobody is connected to; nothing if it is gone."""
        with translated(f"remove network {name}"), suppress(NotFound):
            self.client.api.remove_network(name)

    def remove_volume(self, name: str) -> None:
        """Remove a volume that no container uses; nothing if it is gone."""
        with translated(f"remove volume {name}"), suppress(NotFound):
            self.client.api.remove_volume(name)

    def read_log(self, name: str, *, lines: int | None = None) -> Generator[bytes, None, None]:
        """What a container has said so far, both streams, in chunks; the last ``lines`` or all of it."""
        with translated(f"read the log of {name}"):
            tail: Literal["all"] | int = "all" if lines is None else lines
            yield from self.client.api.logs(name, stream=True, follow=False, tail=tail)

    def read_last_line(self, name: str) -> bytes:
        """The newest line of a container; unlike a stream it comes within the time of any other call, or fails."""
        with translated(f"read the log of {name}"):
            return bytes(self.client.api.logs(name, tail=1))

    # The two calls that have no types in the stubs.
    def _inspect_image(self, reference: str) -> object:
        return self.client.api.inspect_image(reference)  # type: ignore[no-untyped-call]

    def _inspect_distribution(self, reference: str) -> object:
        return self.client.api.inspect_distribution(reference)  # type: ignore[no-untyped-call]

    @cached_property
    def client(self) -> docker.DockerClient:
        """The SDK's own client, for the adapter that works inside containers."""
        with translated("answer"):
            return _connect(self.host, self._environment)


def _pairs(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in labels.items()]


def _connect(host: str | None, environment: Mapping[str, str] | None) -> docker.DockerClient:
    if host is not None:
        return docker.DockerClient(base_url=host, timeout=_CALL_TIMEOUT_S)
    return docker.from_env(timeout=_CALL_TIMEOUT_S, environment=dict(environment or os.environ))


# Shuts the socket down, so that the thread that reads it wakes up and the engine ends the download.
def _close(responses: Sequence[requests.Response]) -> None:
    for response in responses:
        with suppress(DockerException, OSError, AttributeError):
            CancellableStream(iter(()), response).close()
