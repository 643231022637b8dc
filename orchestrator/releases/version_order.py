"""The order of versions.

Versions are ordered as semver with or without a leading ``v``; minor and patch may be missing. Two habits that
semver does not know are read as people mean them: zero-padded dates (``2024.05.01``) and counted pre-releases
(``rc10`` is after ``rc9``). Anything else is not comparable, and is never offered.
"""

import re

import semver

from orchestrator.core.errors import UNTOUCHED, ReleaseError
from orchestrator.core.model.releases import Release

_PADDED_DATE = re.compile(r"^(?:20)?\d{2}\.\d{1,2}(?:\.\d{1,2})?(?=$|[-+])")
_COUNTED = re.compile(r"([A-Za-z]+)(\d+)", re.ASCII)
_LONGEST = 128  # as long as the tag of an image can be


def is_comparable(version: str) -> bool:
    """Whether the text is a version that has an order."""
    return find_order(version) is not None


def current_unknown(what: str) -> ReleaseError:
    """The error of a running version that has no order; ``what`` is its first sentence."""
    return ReleaseError(
        "releases.current_unknown",
        what,
        impact=f"{UNTOUCHED} Whether a release is newer cannot be decided.",
        hint="Run an image with a version tag, or label it with `org.opencontainers.image.version`.",
    )


def rank(release: Release) -> tuple[semver.Version, int, str]:
    """Sort key of a release: of two spellings of one version the complete one is higher."""
    return require_order(release.version), release.version.count("."), release.version


def require_order(version: str) -> semver.Version:
    """The order of a version. Raises `ReleaseError`, ``releases.current_unknown``, where it has none."""
    order = find_order(version)
    if order is None:
        raise current_unknown(f"The version {version!r} cannot be compared with others.")
    return order


def find_order(version: str) -> semver.Version | None:
    """The order of a version, None where it has none."""
    text = strip_v(version)
    if len(text) > _LONGEST or not text.isascii():
        return None
    try:
        parsed = semver.Version.parse(_PADDED_DATE.sub(_unpad, text), optional_minor_and_patch=True)
    except ValueError:
        return None
    return parsed.replace(prerelease=_count(parsed.prerelease)) if parsed.prerelease else parsed


def strip_v(version: str) -> str:
    """The version without its leading ``v``."""
    return version.removeprefix("v")


def _unpad(date: re.Match[str]) -> str:
    return ".".join(str(int(part)) for part in date[0].split("."))


def _count(prerelease: str) -> str:
    """``rc10`` as ``rc.10``: semver would compare it as text and put it before ``rc9``."""
    counted = (_COUNTED.fullmatch(part) or part for part in prerelease.split("."))
    return ".".join(part if isinstance(part, str) else f"{part[1]}.{part[2].lstrip('0') or '0'}" for part in counted)
