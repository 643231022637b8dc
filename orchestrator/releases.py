"""Which release is next: what runs, what is published, and what of it is an upgrade.

Versions are ordered as semver with or without a leading ``v``; minor and patch may be missing. Two habits that
semver does not know are read as people mean them: zero-padded dates (``2024.05.01``) and counted pre-releases
(``rc10`` is after ``rc9``). Anything else is not comparable, and is never offered.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import semver

from orchestrator.errors import UNTOUCHED, PlatformError, RefusedError, ReleaseError
from orchestrator.facts import Current, Target
from orchestrator.model import Release, RemoteImage, ServiceStatus
from orchestrator.ports import History, Platform, Registry, ReleaseFeed
from orchestrator.references import Reference

_PADDED_DATE = re.compile(r"^(?:20)?\d{2}\.\d{1,2}(?:\.\d{1,2})?(?=$|[-+])")
_COUNTED = re.compile(r"([A-Za-z]+)(\d+)", re.ASCII)
_LONGEST = 128  # as long as the tag of an image can be
_NO_IMAGE = "image.not_found"
_LOOKED_UP = 5  # releases whose images are looked for, before it is said that there is none


@dataclass(frozen=True)
class ReleaseRequest:
    """What the operator asks for; without ``version``, the newest. ``retry``: also one that failed here before."""

    version: str | None = None
    prerelease: bool = False
    allow_downgrade: bool = False
    retry: bool = False


@dataclass(frozen=True)
class Choice:
    """What was found. ``newer`` says that there is a ``target`` to go to.

    ``newest`` is the newest release on offer, whatever was asked for; ``without_image`` are the versions that are newer
    than the target, and announced, but whose image is not in the registry yet.
    """

    newer: bool
    current: Current
    target: Target | None
    newest: Release | None
    without_image: tuple[str, ...] = ()


def refuse_failed(target: Target, history: History, request: ReleaseRequest) -> None:
    """Do not try the very image again that an earlier run had to leave; a newer build of it has another digest.

    Raises:
        RefusedError: ``refused.failed_before``.
    """
    failed = history.find_failure(target.digest)
    if failed is None or request.retry:
        return
    first_line = (failed.reason.splitlines() or ["it gave no reason."])[0]
    raise RefusedError(
        "refused.failed_before",
        f"Run {failed.run_id} could not stay on {target.release.version}: {first_line}",
        meaning=UNTOUCHED,
        hint=f"Wait for a newer release, or try it once more with --retry (`orchestrator show {failed.run_id}`).",
    )


def tell_failed_trial(target: Target, history: History) -> str:
    """What a release that failed on a copy is told with when it is tried again; empty where it did not.

    It is not refused for that: a rehearsal costs no downtime, and what it failed for may be put right since.
    """
    failed = history.find_failed_trial(target.digest)
    if failed is None:
        return ""
    first_line = (failed.reason.splitlines() or ["it gave no reason."])[0]
    when = f" on {failed.at:%Y-%m-%d}" if failed.at else ""
    return f"; it failed in the rehearsal of run {failed.run_id}{when} and is tried on a copy again: {first_line}"


class ReleaseFinder:
    """Asks the platform what runs, the feed what is published and the registry what it is."""

    def __init__(
        self, feed: ReleaseFeed, platform: Platform, registry: Registry, services: Sequence[str], image: str
    ) -> None:
        self._feed = feed
        self._platform = platform
        self._registry = registry
        self._services = tuple(services)
        self._image = image

    def find(self, request: ReleaseRequest) -> Choice:
        """Choose the release to go to and pin it by the digest that its tag has now.

        Raises:
            ReleaseError: as `choose_release`, or the feed cannot be read.
            RefusedError: as `running`.
            PlatformError: the engine or the registry cannot be asked.
        """
        current = self.running()
        releases = self._feed.list_releases()
        target, without_image = self._pin_newest(list_candidates(current.version, releases, request), current)
        return Choice(
            newer=target is not None,
            current=current,
            target=target,
            newest=newest_release(releases, prerelease=request.prerelease),
            without_image=without_image,
        )

    def running(self) -> Current:
        """The one version that all services run.

        Raises:
            RefusedError: ``refused.not_running``, ``refused.other_name``, ``refused.mixed_versions``,
                ``refused.several_images``.
            ReleaseError: ``releases.current_unknown``.
        """
        statuses = [status for status in self._platform.inspect_services(self._services) if status.running]
        if not {*self._services} <= {status.service for status in statuses}:
            self._platform.check_name(self._services)
        _refuse_missing(self._services, statuses)
        versions = {status.service: _read_version(status) for status in statuses}
        _refuse_mixed(versions, statuses)
        first = statuses[0]
        return Current(
            version=versions[first.service],
            image_id=first.image_id,
            digest=first.digests[0] if len(first.digests) == 1 else None,
            healthy=all(status.health != "unhealthy" for status in statuses),
            services=tuple(statuses),
        )

    # A release is announced before its image is built, so that the one before it is the newest that can be had.
    def _pin_newest(self, candidates: Sequence[Release], current: Current) -> tuple[Target | None, tuple[str, ...]]:
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

    def _pin(self, release: Release, current: Current) -> Target:
        tag, image = self._resolve(release, current)
        return Target(
            release=release,
            repository=self._image,
            digest=image.digest,
            platforms=image.platforms,
            downgrade=_require_order(release.version) < _require_order(current.version),
            image_tag=tag if tag != release.version else None,
        )

    def _resolve(self, release: Release, current: Current) -> tuple[str, RemoteImage]:
        """The tag of a release's image, and what it is: many publish release ``v2.0.0`` as image ``2.0.0``."""
        tags = _spell(release.version, like=current.version)
        for tag in tags:
            try:
                return tag, self._registry.resolve(self._image, tag)
            except PlatformError as error:
                if error.code != _NO_IMAGE:
                    raise
        raise PlatformError(
            _NO_IMAGE,
            f"Release {release.version} is announced, but {self._image} has no image {' or '.join(tags)}.",
            meaning=UNTOUCHED,
            hint="It may still be being built: try again later, or look under which name it was published.",
        )


def choose_release(current_version: str, releases: Sequence[Release], request: ReleaseRequest) -> Release | None:
    """The release to go to, or None where the running version is what is asked for.

    Raises:
        ReleaseError: ``releases.current_unknown`` (the running version has no order), ``releases.not_found`` and
            ``releases.not_comparable`` (the version asked for), ``releases.downgrade`` (it is older).
    """
    return next(iter(list_candidates(current_version, releases, request)), None)


def list_candidates(current_version: str, releases: Sequence[Release], request: ReleaseRequest) -> tuple[Release, ...]:
    """The releases to go to, the newest first: the one that is asked for, or all that are newer and on offer.

    Raises:
        ReleaseError: as `choose_release`.
    """
    running = _order(current_version)
    if running is None:
        raise _current_unknown(f"The running version {current_version!r} cannot be compared with others.")
    if request.version is not None:
        chosen = _choose_requested(running, current_version, releases, request)
        return (chosen,) if chosen is not None else ()
    offered = [release for release in releases if _is_offered(release, prerelease=request.prerelease)]
    newer = [release for release in offered if _require_order(release.version) > running]
    return tuple(sorted(newer, key=_rank, reverse=True))


def newest_release(releases: Sequence[Release], *, prerelease: bool = False) -> Release | None:
    """The highest version on offer. Of two spellings of one version, the complete one (``1.2.0``, not ``1.2``)."""
    offered = [release for release in releases if _is_offered(release, prerelease=prerelease)]
    return max(offered, key=_rank, default=None)


def is_comparable(version: str) -> bool:
    """Whether the text is a version that has an order."""
    return _order(version) is not None


def _choose_requested(
    running: semver.Version, current_version: str, releases: Sequence[Release], request: ReleaseRequest
) -> Release | None:
    release = _find_published(request.version or "", releases)
    if _bare(release.version) == _bare(current_version):
        return None
    wanted = _order(release.version)
    if wanted is None:
        raise ReleaseError(
            "releases.not_comparable",
            f"Whether {release.version} is newer than {current_version} cannot be told from their names.",
            meaning=UNTOUCHED,
            hint="Ask for a version that is numbered like 1.2.3.",
        )
    if wanted < running and not request.allow_downgrade:
        raise ReleaseError(
            "releases.downgrade",
            f"{release.version} is older than {current_version}, which runs.",
            meaning=f"{UNTOUCHED} An older version may not understand the data of a newer one.",
            hint="Say --allow-downgrade if you are sure that it does.",
        )
    return None if wanted == running else release


def _find_published(version: str, releases: Sequence[Release]) -> Release:
    published = {release.version: release for release in releases if not release.draft}
    for spelling in (version, f"v{version}", version.removeprefix("v")):
        if spelling in published:
            return published[spelling]
    close = difflib.get_close_matches(version, published, n=3, cutoff=0.5)
    raise ReleaseError(
        "releases.not_found",
        f"No release {version!r} is published.",
        meaning=UNTOUCHED,
        hint=f"Did you mean {', '.join(close)}?" if close else "Ask for one of the published releases.",
    )


def _is_offered(release: Release, *, prerelease: bool) -> bool:
    order = _order(release.version)
    if release.draft or order is None:
        return False
    return prerelease or not (release.prerelease or order.prerelease)


def _spell(version: str, *, like: str) -> tuple[str, ...]:
    """A version as a tag of its image may be written, the way of the running one first."""
    bare = _bare(version)
    return (f"v{bare}", bare) if like.startswith("v") else (bare, f"v{bare}")


def _refuse_missing(services: Sequence[str], running: Sequence[ServiceStatus]) -> None:
    missing = [name for name in services if name not in {status.service for status in running}]
    if missing or not running:
        raise RefusedError(
            "refused.not_running",
            f"No container of {', '.join(missing) or 'the app'} is running.",
            meaning="The app must be up before an upgrade, or nobody can tell whether going back would work.",
            hint="Start it with `docker compose up -d`, see that it is healthy, then run the upgrade again.",
        )


def _refuse_mixed(versions: dict[str, str], statuses: Sequence[ServiceStatus]) -> None:
    builds = {(versions[status.service], status.image_id) for status in statuses}
    if len(builds) == 1:
        return
    repositories = {status.service: _read_repository(status.image_reference) for status in statuses}
    if len(set(repositories.values()) - {None}) > 1 and len({status.image_id for status in statuses}) > 1:
        listed = ", ".join(f"{name} runs {repository}" for name, repository in sorted(repositories.items()))
        raise RefusedError(
            "refused.several_images",
            f"The services under `target: services:` are of different images: {listed}.",
            meaning=f"{UNTOUCHED} A plan upgrades the services of one image.",
            hint="List there only the services that run the plan's `target: image:`.",
        )
    listed = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    raise RefusedError(
        "refused.mixed_versions",
        f"The services do not all run the same image: {listed}.",
        meaning="There is no one version that the app could go back to.",
        hint="Bring all of them to one version with `docker compose up -d` first.",
    )


def _read_version(status: ServiceStatus) -> str:
    for text in (_read_tag(status.image_reference), status.version_label):
        if text and is_comparable(text):
            return text
    raise _current_unknown(
        f"Which version service {status.service} runs cannot be told: its image is {status.image_reference!r}"
        f" and its version label says {status.version_label or 'nothing'!r}."
    )


def _read_tag(image_reference: str) -> str | None:
    return Reference.parse(image_reference).tag or None


def _read_repository(image_reference: str) -> str | None:
    name, _, tag = image_reference.partition("@")[0].rpartition(":")
    if image_reference.startswith("sha256:"):
        return None
    return name if name and "/" not in tag else image_reference.partition("@")[0]


def _current_unknown(what: str) -> ReleaseError:
    return ReleaseError(
        "releases.current_unknown",
        what,
        meaning=f"{UNTOUCHED} Whether a release is newer cannot be decided.",
        hint="Run an image with a version tag, or label it with `org.opencontainers.image.version`.",
    )


def _rank(release: Release) -> tuple[semver.Version, int, str]:
    return _require_order(release.version), release.version.count("."), release.version


def _require_order(version: str) -> semver.Version:
    order = _order(version)
    if order is None:
        raise _current_unknown(f"The version {version!r} cannot be compared with others.")
    return order


def _order(version: str) -> semver.Version | None:
    text = _bare(version)
    if len(text) > _LONGEST or not text.isascii():
        return None
    try:
        parsed = semver.Version.parse(_PADDED_DATE.sub(_unpad, text), optional_minor_and_patch=True)
    except ValueError:
        return None
    return parsed.replace(prerelease=_count(parsed.prerelease)) if parsed.prerelease else parsed


def _bare(version: str) -> str:
    return version.removeprefix("v")


def _unpad(date: re.Match[str]) -> str:
    return ".".join(str(int(part)) for part in date[0].split("."))


def _count(prerelease: str) -> str:
    """``rc10`` as ``rc.10``: semver would compare it as text and put it before ``rc9``."""
    counted = (_COUNTED.fullmatch(part) or part for part in prerelease.split("."))
    return ".".join(part if isinstance(part, str) else f"{part[1]}.{part[2].lstrip('0') or '0'}" for part in counted)
