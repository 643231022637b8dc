"""The containers of a project against its rendering, item by item; pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.adapters.compose.drift.rendered import Rendered
from orchestrator.adapters.compose.drift.running import read_running
from orchestrator.adapters.compose.drift.values import (
    ADDRESS,
    ALIAS,
    ANONYMOUS,
    COMMAND,
    CONTAINER_NAME,
    CONTROL_GROUP,
    DEFAULT_LOG_DRIVER,
    ENTRYPOINT,
    ENVIRONMENT,
    EXPOSED,
    FOLDER,
    HEALTH,
    IMAGE,
    LABEL,
    LINK,
    LOG_DRIVER,
    MAC,
    MOUNT,
    NETWORK,
    NETWORK_MODE,
    REPLICAS,
    RESTART,
    STOP_SIGNAL,
    TEXT,
    USER,
    Item,
    is_from_client,
)
from orchestrator.adapters.docker.settings import ContainerSettings, ImageSettings
from orchestrator.core.model.workloads import Difference

#: What a gate holds back or changes for as long as it is closed.
BEHIND_GATE = frozenset({NETWORK, ALIAS, ADDRESS, LINK, MAC, RESTART})

_SERVICE = Item("service")
_INHERITED = frozenset({ENVIRONMENT, LABEL, USER, FOLDER, COMMAND, ENTRYPOINT, HEALTH, STOP_SIGNAL, EXPOSED, MOUNT})
# What can be changed on a container that is there, or is named outside of its service: no hash of Compose tells.
_OUTSIDE_HASH = frozenset(
    {NETWORK, ALIAS, ADDRESS, LINK, MAC, NETWORK_MODE, RESTART, REPLICAS, CONTAINER_NAME, TEXT, _SERVICE.kind}
    | {"memory limit", "memory reservation", "swap limit", "CPUs", "CPU shares", "CPU period", "CPU quota", "CPU set"}
    | {"number of processes", "block I/O weight"}
)
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Deviation:
    """One item that a container has otherwise than it would be made; without ``container`` the whole service."""

    service: str
    item: Item
    running: str
    rendered: str
    container: ContainerSettings | None

    @property
    def is_hashed(self) -> bool:
        """Whether it cannot be while Compose's hash of the service is the one that the container carries."""
        if self.item.kind == MOUNT:
            return not (self.running and self.rendered)  # which volume a name means is said outside of the service
        return self.item.kind not in _OUTSIDE_HASH

    def to_difference(self) -> Difference:
        """In the words of the port: of environment variables only that they differ."""
        if self.item.kind == ENVIRONMENT:
            running = "is set" if self.running else "is not set"
            rendered = ("has another value" if self.running else "is set") if self.rendered else "is not set"
            return Difference(service=self.service, item=str(self.item), running=running, rendered=rendered)
        return Difference(
            service=self.service, item=str(self.item), running=_show(self.running), rendered=_show(self.rendered)
        )


def compare(
    rendered: Rendered,
    containers: Sequence[ContainerSettings],
    images: Mapping[str, ImageSettings],
    *,
    gates: Collection[str] = (),
    services: Collection[str] | None = None,
    ignored: Collection[str] = (),
) -> list[Deviation]:
    """All that is otherwise; ``services`` alone, and no kind of item that is ``ignored``.

    ``images`` are those of the containers by id; networks that are ``gates`` were made by an upgrade, and stay.
    A service that no container runs for says nothing: whether it should is not asked here.
    """
    by_service: dict[str, list[ContainerSettings]] = {}
    for container in containers:
        by_service.setdefault(container.service, []).append(container)
    found: dict[tuple[str, Item, str, str], Deviation] = {}
    for service, all_of_it in sorted(by_service.items()):
        up = [one for one in all_of_it if one.up]
        if not up or (services is not None and service not in services):
            continue
        deviations = _compare_service(rendered, service, all_of_it, up, images, gates)
        for one in deviations:
            if one.item.kind not in ignored:
                found.setdefault((one.service, one.item, one.running, one.rendered), one)
    return list(found.values())


def _compare_service(
    rendered: Rendered,
    service: str,
    containers: Sequence[ContainerSettings],
    up: Sequence[ContainerSettings],
    images: Mapping[str, ImageSettings],
    gates: Collection[str],
) -> Iterator[Deviation]:
    if service not in rendered.services:
        yield Deviation(service, _SERVICE, "it runs", "", None)
        return
    wanted, there = rendered.count(service), [one for one in containers if one.state.status != "created"]
    if len(up) > wanted or len(there) < wanted:
        yield Deviation(service, Item(REPLICAS), str(len(up)), str(wanted), None)
    for container in up:
        image = images.get(container.image)
        running = read_running(container, image, left_out=gates, resolve=rendered.resolve)
        made = rendered.read(service, image)
        for item in sorted({*running, *made}):
            one = Deviation(service, item, running.get(item, ""), made.get(item, ""), container)
            if one.running != one.rendered and not _is_by_itself(one, image):
                yield one


def _is_by_itself(one: Deviation, image: ImageSettings | None) -> bool:
    """Whether the engine, the image, Compose or its client make this difference by themselves."""
    kind, container = one.item.kind, one.container
    if one.rendered:  # beneath another mount, an image's own volume is not made
        return kind == MOUNT and one.rendered == ANONYMOUS and not one.running
    if kind == CONTAINER_NAME:
        return container is not None and container.made_name.fullmatch(one.running) is not None
    if kind == LOG_DRIVER:
        return one.running == DEFAULT_LOG_DRIVER
    if kind in (IMAGE, CONTROL_GROUP, MAC):  # built here, under a name that Compose chooses; as the engine has them
        return True
    # Nobody knows any more what an image that is gone has said.
    return is_from_client(one.item) or (image is None and kind in _INHERITED)


def _show(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
