"""Where images come from."""

from __future__ import annotations

from typing import Protocol

from orchestrator.core.model.images import RemoteImage
from orchestrator.core.ports.database import Database as Database  # noqa: PLC0414 - part of what is found here


class Registry(Protocol):
    """Where images come from. Raises `PlatformError`."""

    def resolve(self, repository: str, tag: str) -> RemoteImage:
        """The digest behind a tag now, without downloading it.

        ``image.not_found``, ``image.denied``, ``image.unreachable``.
        """
