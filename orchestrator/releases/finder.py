"""What runs, what is published, and the digest behind it, asked of the platform, the feed and the registry."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.core.errors import UNTOUCHED, PlatformError, RefusedError
from orchestrator.core.facts import Current, TargetRelease
from orchestrator.core.image_reference import Reference
from orchestrator.core.model.images import RemoteImage
from orchestrator.core.model.releases import Release
from orchestrator.core.model.workloads import ServiceStatus
from orchestrator.core.ports.images import Images
from orchestrator.core.ports.recovery import ByHand, Recovery
from orchestrator.core.ports.release_finder import Choice, ReleaseRequest
from orchestrator.core.ports.releases import ReleaseFeed
from orchestrator.core.ports.workloads import Workloads
from orchestrator.releases.choosing import list_candidates, newest_release
from orchestrator.releases.version_order import current_unknown, is_comparable, require_order, strip_v

_NO_IMAGE = "image.not_found"
_LOOKED_UP = 5  # releases whose images are looked for, before it is said that there is none


@dataclass(frozen=True)
class PublishedReleaseFinder:
    """Implements the port `ReleaseFinder` for the services that run ``image``."""

    feed: ReleaseFeed
    workloads: Workloads
    images: Images
    recovery: Recovery
    services: tuple[str, ...]
    image: str

    def find(self, request: ReleaseRequest) -> Choice:
        """As `ReleaseFinder.find`."""
        current = self.running()
        releases = self.feed.list_releases()
        target, without_image = self._pin_newest(list_candidates(current.version, releases, request), current)
        return Choice(
            newer=target is not None,
            current=current,
            target=target,
            newest=newest_release(releases, prerelease=request.prerelease),
            without_image=without_image,
        )

    def running(self) -> Current:
        """As `ReleaseFinder.running`."""
        statuses = [status for status in self.workloads.inspect_services(self.services) if status.running]
        if not {*self.services} <= {status.service for status in statuses}:
            self.workloads.check_name(self.services)
        start = self.recovery.phrase(ByHand.START_APP)
        _refuse_missing(self.services, statuses, start)
        versions = {status.service: _read_version(status) for status in statuses}
        _refuse_mixed(versions, statuses, start)
        first = statuses[0]
        return Current(
            version=versions[first.service],
            image_id=first.image_id,
            digest=first.digests[0] if len(first.digests) == 1 else None,
            healthy=all(status.health != "unhealthy" for status in statuses),
            services=tuple(statuses),
        )

    # A release is announced before its image is built, so that the one before it is the newest that can be had.
    def _pin_newest(
        self, candidates: Sequence[Release], current: Current
    ) -> tuple[TargetRelease | None, tuple[str, ...]]:
        missing: list[PlatformError] = []
        for release in candidates[:_LOOKED_UP]:
            try:
                return self._pin(release, current), tuple(one.version for one in candidates[: len(missing)])
            except PlatformError as error:
                if error.code != _NO_IMAGE:
                    raise
                missing.append(error)
        if missing:
            raise missing[0]
        return None, ()

    def _pin(self, release: Release, current: Current) -> TargetRelease:
        tag, image = self._resolve(release, current)
        return TargetRelease(
            release=release,
            repository=self.image,
            digest=image.digest,
            platforms=image.platforms,
            downgrade=require_order(release.version) < require_order(current.version),
            image_tag=tag if tag != release.version else None,
        )

    def _resolve(self, release: Release, current: Current) -> tuple[str, RemoteImage]:
        """The tag of a release's image, and what it is: many publish release ``v2.0.0`` as image ``2.0.0``."""
        tags = _spell(release.version, like=current.version)
        for tag in tags:
            try:
                return tag, self.images.resolve(self.image, tag)
            except PlatformError as error:
                if error.code != _NO_IMAGE:
                    raise
        raise PlatformError(
            _NO_IMAGE,
            f"Release {release.version} is announced, but {self.image} has no image {' or '.join(tags)}.",
            impact=UNTOUCHED,
            hint="It may still be being built: try again later, or look under which name it was published.",
        )


def _spell(version: str, *, like: str) -> tuple[str, ...]:
    """A version as a tag of its image may be written, the way of the running one first."""
    bare = strip_v(version)
    return (f"v{bare}", bare) if like.startswith("v") else (bare, f"v{bare}")


def _refuse_missing(services: Sequence[str], running: Sequence[ServiceStatus], start: str) -> None:
    missing = [name for name in services if name not in {status.service for status in running}]
    if missing or not running:
        raise RefusedError(
            "refused.not_running",
            f"No container of {', '.join(missing) or 'the app'} is running.",
            impact="The app must be up before an upgrade, or nobody can tell whether going back would work.",
            hint=f"Start it with {start}, see that it is healthy, then run the upgrade again.",
        )


def _refuse_mixed(versions: dict[str, str], statuses: Sequence[ServiceStatus], start: str) -> None:
    builds = {(versions[status.service], status.image_id) for status in statuses}
    if len(builds) == 1:
        return
    repositories = {status.service: Reference.parse(status.image_reference).repository for status in statuses}
    if len(set(filter(None, repositories.values()))) > 1 and len({status.image_id for status in statuses}) > 1:
        listed = ", ".join(f"{name} runs {repository}" for name, repository in sorted(repositories.items()))
        raise RefusedError(
            "refused.several_images",
            f"The services under `target: services:` are of different images: {listed}.",
            impact=f"{UNTOUCHED} A plan upgrades the services of one image.",
            hint="List there only the services that run the plan's `target: image:`.",
        )
    listed = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    raise RefusedError(
        "refused.mixed_versions",
        f"The services do not all run the same image: {listed}.",
        impact="There is no one version that the app could go back to.",
        hint=f"Bring all of them to one version with {start} first.",
    )


def _read_version(status: ServiceStatus) -> str:
    for text in (Reference.parse(status.image_reference).tag, status.version_label):
        if text and is_comparable(text):
            return text
    raise current_unknown(
        f"Which version service {status.service} runs cannot be told: its image is {status.image_reference!r}"
        f" and its version label says {status.version_label or 'nothing'!r}."
    )
