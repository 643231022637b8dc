"""Which of the published releases is next; pure."""

import difflib
from collections.abc import Sequence

import semver

from orchestrator.core.errors import UNTOUCHED, ReleaseError
from orchestrator.core.model.releases import Release
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.releases.version_order import current_unknown, find_order, rank, require_order, strip_v


def choose_release(current_version: str, releases: Sequence[Release], request: ReleaseRequest) -> Release | None:
    """The release to go to, or None where the running version is what is asked for.

    Raises:
        ReleaseError: ``releases.current_unknown`` (the running version has no order), ``releases.not_found`` and
            ``releases.not_comparable`` (the version asked for), ``releases.downgrade`` (it is older).
    """
    return next(iter(list_candidates(current_version, releases, request)), None)


def list_candidates(current_version: str, releases: Sequence[Release], request: ReleaseRequest) -> tuple[Release, ...]:
    """The releases to go to, newest first: the one asked for, or all newer ones offered. Raises as `choose_release`."""
    running = find_order(current_version)
    if running is None:
        raise current_unknown(f"The running version {current_version!r} cannot be compared with others.")
    if request.version is not None:
        chosen = _choose_requested(running, current_version, releases, request)
        return (chosen,) if chosen is not None else ()
    offered = [release for release in releases if _is_offered(release, prerelease=request.prerelease)]
    newer = [release for release in offered if require_order(release.version) > running]
    return tuple(sorted(newer, key=rank, reverse=True))


def newest_release(releases: Sequence[Release], *, prerelease: bool = False) -> Release | None:
    """The highest version on offer. Of two spellings of one version, the complete one (``1.2.0``, not ``1.2``)."""
    offered = [release for release in releases if _is_offered(release, prerelease=prerelease)]
    return max(offered, key=rank, default=None)


def _choose_requested(
    running: semver.Version, current_version: str, releases: Sequence[Release], request: ReleaseRequest
) -> Release | None:
    release = _find_published(request.version or "", releases)
    if strip_v(release.version) == strip_v(current_version):
        return None
    wanted = find_order(release.version)
    if wanted is None:
        raise ReleaseError(
            "releases.not_comparable",
            f"Whether {release.version} is newer than {current_version} cannot be told from their names.",
            impact=UNTOUCHED,
            hint="Ask for a version that is numbered like 1.2.3.",
        )
    if wanted < running and not request.allow_downgrade:
        raise ReleaseError(
            "releases.downgrade",
            f"{release.version} is older than {current_version}, which runs.",
            impact=f"{UNTOUCHED} An older version may not understand the data of a newer one.",
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
        impact=UNTOUCHED,
        hint=f"Did you mean {', '.join(close)}?" if close else "Ask for one of the published releases.",
    )


def _is_offered(release: Release, *, prerelease: bool) -> bool:
    order = find_order(release.version)
    if release.draft or order is None:
        return False
    return prerelease or not (release.prerelease or order.prerelease)
