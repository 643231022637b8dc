"""Images of the engine, and registries as the engine sees them: its proxies, its user's credentials."""

from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import InvariantError, PlatformError
from orchestrator.core.model.images import LocalImage, Pin, RemoteImage
from orchestrator.core.ports.progress import Report


class EngineImages:
    """`orchestrator.core.ports.images.Images` over an engine."""

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    def resolve(self, repository: str, tag: str) -> RemoteImage:
        """Digest of the tag's manifest list (or manifest) and the platforms in it.

        Raises:
            PlatformError: ``image.not_found``, ``image.denied``, ``image.unreachable``.
        """
        found = self._engine.find_distribution(f"{repository}:{tag}")
        return RemoteImage(digest=found.descriptor.digest, platforms=found.platform_names)

    def find(self, reference: str) -> LocalImage | None:
        """See `Images.find`."""
        image = self._engine.find_image(reference)
        return image.to_image() if image is not None else None

    def pull(self, repository: str, pin: Pin, *, report: Report, deadline: Deadline) -> LocalImage:
        """See `Images.pull`."""
        if pin.digest is None:
            raise InvariantError(
                "internal.pin_without_digest", f"{repository}:{pin} was to be pulled without a digest."
            )
        self._engine.pull(repository, pin, report=report, deadline=deadline)
        image = self._engine.find_image(f"{repository}@{pin.digest}")
        if image is None or pin.digest not in image.digests:
            raise PlatformError(
                "pull.digest_mismatch",
                f"{repository} was pulled, but the engine has no image with the digest {pin.digest}.",
                impact="What was downloaded is not what the release names; it is not used.",
            )
        self._engine.tag(image.id, f"{repository}:{pin.tag}")
        return image.to_image()

    def keep(self, image_id: str, name: str) -> None:
        """See `Images.keep`."""
        self._engine.tag(image_id, name)

    def forget(self, name: str) -> None:
        """See `Images.forget`."""
        self._engine.remove_name(name)
