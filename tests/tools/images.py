"""The fake of the images port."""

from __future__ import annotations

from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import PlatformError
from orchestrator.core.model.images import LocalImage, Pin, RemoteImage
from orchestrator.core.model.progress import Progress
from orchestrator.core.ports.progress import Report
from tests.tools.things import FakeImage, FakeRelease
from tests.tools.world import FakeWorld


class FakeImages:
    """`Images` on the world's releases and images."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world

    def resolve(self, repository: str, tag: str) -> RemoteImage:
        self._world.script.look("images.resolve")
        if not self._world.online:
            raise PlatformError("image.unreachable", "The registry does not answer.")
        release = self._world.releases.get(tag)
        if release is None or repository != self._world.repository:
            raise PlatformError("image.not_found", f"The registry has no {repository}:{tag}.")
        return RemoteImage(digest=release.digest, platforms=release.platforms)

    def find(self, reference: str) -> LocalImage | None:
        self._world.script.look("images.find")
        image = self._world.find_image(reference)
        return _to_local(image) if image else None

    def pull(self, repository: str, pin: Pin, *, report: Report, deadline: Deadline) -> LocalImage:
        with self._world.script.effect("images.pull", repository, str(pin)):
            release = self._published(repository, pin)
            image = self._world.find_image(f"{repository}@{release.digest}")
            if image is None:
                _download(release, report, deadline)
                image = self._world.add_image(release)
            give_name(self._world, image, f"{repository}:{pin.tag}")
            return _to_local(image)

    def keep(self, image_id: str, name: str) -> None:
        with self._world.script.effect("images.keep", image_id, name):
            image = self._world.find_image(image_id)
            if image is None:
                raise PlatformError("image.missing", f"The engine has no image {image_id}.")
            give_name(self._world, image, name)

    def forget(self, name: str) -> None:
        with self._world.script.effect("images.forget", name):
            named = self._world.find_image(name)
            if named is None:
                return
            named.names.discard(name)
            if not self._world.is_needed(named):
                self._world.images.remove(named)

    def _published(self, repository: str, pin: Pin) -> FakeRelease:
        if not self._world.online:
            raise PlatformError("pull.failed", f"{repository}:{pin} could not be downloaded: no network.")
        release = self._world.published(pin.digest) if pin.digest else None
        if release is None or repository != self._world.repository:
            raise PlatformError("pull.not_found", f"The registry has no {repository}:{pin}.")
        return release


def give_name(world: FakeWorld, image: FakeImage, name: str) -> None:
    """Let the name lead to this image and to no other one."""
    for other in world.images:
        other.names.discard(name)
    image.names.add(name)


def _to_local(image: FakeImage) -> LocalImage:
    return LocalImage(image_id=image.image_id, digests=(image.digest,), size_bytes=image.size_bytes)


def _download(release: FakeRelease, report: Report, deadline: Deadline) -> None:
    for done in (release.size_bytes // 2, release.size_bytes):
        deadline.pause(release.pull_s / 2)
        report(Progress(label=f"Downloading {release.version}", done=done, total=release.size_bytes))
