"""Whether Compose would leave alone what the services depend on.

Compose hashes ``depends_on`` into a container's label, and ``--no-deps`` takes it out: the operator's next
`docker compose up` would recreate the container. Without ``--no-deps`` Compose recreates a dependency that has
drifted and runs again one that has completed, so it is left out only where neither can happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.adapters.docker_engine import DockerEngine
from orchestrator.adapters.engine_documents import (
    HASH_LABEL,
    IMAGE_LABEL,
    ONE_OFF_LABEL,
    PROJECT_LABEL,
    SERVICE_LABEL,
    ContainerDocument,
)


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
