"""Registries as the engine sees them: its proxies, its insecure registries, its user's credentials."""

from __future__ import annotations

from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.core.model.images import RemoteImage


class EngineRegistry:
    """`orchestrator.core.ports.registry.Registry` over an engine."""

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    def resolve(self, repository: str, tag: str) -> RemoteImage:
        """Digest of the tag's manifest list (or manifest) and the platforms in it.

        Raises:
            PlatformError: ``image.not_found``, ``image.denied``, ``image.unreachable``.
        """
        found = self._engine.find_distribution(f"{repository}:{tag}")
        return RemoteImage(digest=found.descriptor.digest, platforms=found.platform_names)
