"""A release source that answers as it is told and counts how often it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable

from orchestrator.core.errors import ReleaseError
from orchestrator.core.model.releases import Release


class FakeFeed:
    """Gives ``releases``, or raises ``error`` while one is set; ``while_asked`` happens before it answers."""

    def __init__(self, *releases: Release, error: Exception | None = None) -> None:
        self.releases = releases
        self.error = error
        self.asked = 0
        self.while_asked: Callable[[], object] = lambda: None
        self._lock = threading.Lock()

    def list_releases(self) -> tuple[Release, ...]:
        with self._lock:
            self.asked += 1
        self.while_asked()
        if self.error is not None:
            raise self.error
        return self.releases


def unreachable() -> ReleaseError:
    return ReleaseError("releases.unreachable", "https://secret.example/path did not answer.")
