"""Images, on this host and where they come from."""

from typing import Protocol

from orchestrator.core.deadline import Deadline
from orchestrator.core.model.images import LocalImage, Pin, RemoteImage
from orchestrator.core.ports.progress import Report


class Images(Protocol):
    """Images of a registry and of the engine. Raises `PlatformError`."""

    def resolve(self, repository: str, tag: str) -> RemoteImage:
        """The digest behind a tag now, without downloading it.

        ``image.not_found``, ``image.denied``, ``image.unreachable``.
        """

    def find(self, reference: str) -> LocalImage | None:
        """The local image of ``repository:tag``, ``repository@digest`` or an image id; None if there is none."""

    def pull(self, repository: str, pin: Pin, *, report: Report, deadline: Deadline) -> LocalImage:
        """Download by the pin's digest and give it the pin's tag.

        ``pull.not_found``, ``pull.denied``, ``pull.rate_limited``, ``pull.no_space``, ``pull.failed``,
        ``pull.digest_mismatch``.
        """

    def keep(self, image_id: str, name: str) -> None:
        """Give the image a name of ours, so that pruning leaves it alone. Repeating is harmless."""

    def forget(self, name: str) -> None:
        """Take a name away from an image; without any name left the engine removes it. Repeating is harmless."""
