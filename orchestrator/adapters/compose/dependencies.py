"""What services depend on: in which order they are stopped, and whether Compose would leave alone what they need.

Compose hashes ``depends_on`` into a container's label, and ``--no-deps`` takes it out: the operator's next
`docker compose up` would recreate the container. Without ``--no-deps`` Compose recreates a dependency that has
drifted and runs again one that has completed, so it is left out only where neither can happen.
"""

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.models import (
    HASH_LABEL,
    IMAGE_LABEL,
    ONE_OFF_LABEL,
    PROJECT_LABEL,
    SERVICE_LABEL,
    ContainerDocument,
)


def order_stops(containers: Sequence[ContainerDocument]) -> Iterator[list[ContainerDocument]]:
    """Those that may be stopped side by side, group by group: who needs another goes before it, as with Compose."""
    left = list(containers)
    while left:
        needed = {service for one in left for service in one.needs}
        free = [one for one in left if one.labels.get(SERVICE_LABEL) not in needed] or left  # else they need each other
        yield free
        left = [one for one in left if one not in free]


def are_settled(engine: DockerEngine, project: str, dependencies: Sequence[str], hashes: Mapping[str, str]) -> bool:
    """Whether every dependency runs as ``hashes`` (service → Compose's hash) and its image say."""
    return all(_is_settled(engine, project, service, hashes.get(service)) for service in dependencies)


def _is_settled(engine: DockerEngine, project: str, service: str, expected: str | None) -> bool:
    labels = {PROJECT_LABEL: project, SERVICE_LABEL: service, ONE_OFF_LABEL: "False"}
    containers = engine.find_containers(labels)
    return bool(containers) and all(_is_current(engine, container, expected) for container in containers)


def _is_current(engine: DockerEngine, container: ContainerDocument, expected: str | None) -> bool:
    image = engine.find_image(container.config.image)
    return (
        container.state.status == "running"
        and image is not None
        and container.labels.get(HASH_LABEL) == expected
        and container.labels.get(IMAGE_LABEL) == image.id == container.image
    )
