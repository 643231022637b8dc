"""Where releases are announced."""

from typing import Protocol

from orchestrator.core.model.releases import Release


class ReleaseFeed(Protocol):
    """Where releases are announced. Raises `ReleaseError`."""

    def list_releases(self) -> tuple[Release, ...]:
        """All that are published, drafts and pre-releases marked as such; in any order."""
