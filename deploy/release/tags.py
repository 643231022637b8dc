"""Which tags an image gets: the one place that knows; the publishing workflow runs it, and a test of the rules too.

    gh api --paginate --slurp repos/OWNER/NAME/releases | python3 deploy/release/tags.py >>"$GITHUB_OUTPUT"

Reads what happened from GITHUB_EVENT_NAME and GITHUB_REF, and from stdin the pages of releases that there are. Writes
`version=`, what the image calls itself, and `rules=`, a line for each tag in the words of docker/metadata-action.
Exit 0; exit 1 with one sentence on stderr when there is nothing to publish.

    push to main                       latest
    push of v1.2.3                     v1.2.3 latest 1.2 1
    push of v1.2.2, v1.2.3 is out      v1.2.2
    push of v1.2.4, v1.3.0 is out      v1.2.4 1.2
    push of v1.3.0-rc.1, a pre-release v1.3.0-rc.1
    push of v1.2.3, v1.2.3 is out      none: what is published is never made again
"""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
MAIN = "refs/heads/main"
TAGS = "refs/tags/"
UNRELEASED = "dev"

_NUMBER = r"(0|[1-9][0-9]*)"
_WORD = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
# A version as semver.org says, without build metadata, for which a tag of an image has no sign.
_RELEASE_TAG = re.compile(rf"v{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_WORD}(?:\.{_WORD})*))?", re.ASCII)
_LONGEST_TAG = 128


class RefusedError(Exception):
    """Nothing is published; the message says why."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release on GitHub; `number` is (major, minor, patch)."""

    tag: str
    number: tuple[int, int, int]
    final: bool


def choose_tags(event_name: str, ref: str, releases: Collection[Mapping[str, Any]]) -> list[str]:
    """Choose the tags of the images that an event makes, its own first; raise `RefusedError` where it makes none."""
    if event_name == "push" and ref == MAIN:
        return ["latest"]
    if event_name != "push" or not ref.startswith(TAGS):
        raise RefusedError(f"{event_name or 'no event'} on {ref or 'no ref'} publishes nothing: main and tags do")
    return _choose_release_tags(ref.removeprefix(TAGS), releases)


def check_version(tags: list[str], project: Path) -> str:
    """Return the version that the image reports, which for a release must be that in `project`; raise
    `RefusedError`.
    """
    tag = tags[0]
    if tag == "latest":
        return UNRELEASED
    version = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    if tag != f"v{version}":
        raise RefusedError(f"release {tag} was made of a commit whose {project.name} says version {version}")
    return tag


# The aliases follow what is released, not what was built last: whichever run comes first, they end at the same place.
def _choose_release_tags(tag: str, releases: Collection[Mapping[str, Any]]) -> list[str]:
    prepared = [release for release in releases if release.get("tag_name") == tag]
    if any(not release.get("draft") for release in prepared):
        raise RefusedError(f"release {tag} is published: who has it must find it as it was, so take a new version")
    released = _read_release({"tag_name": tag, "prerelease": any(one.get("prerelease") for one in prepared)})
    if released is None:
        raise RefusedError(f"{tag!r} is no tag of a release: those are like v1.2.3 or v1.3.0-rc.1")
    if not released.final:
        return [released.tag]
    others = [other.number for other in map(_read_release, releases) if other is not None and other.final]
    major, minor, _ = released.number
    aliases = {"latest": others, f"{major}.{minor}": _within(others, major, minor), f"{major}": _within(others, major)}
    return [released.tag, *(name for name, rivals in aliases.items() if max(rivals, default=(0,)) <= released.number)]


def _within(numbers: Iterable[tuple[int, int, int]], *line: int) -> list[tuple[int, int, int]]:
    return [number for number in numbers if number[: len(line)] == line]


def _read_release(release: Mapping[str, Any]) -> Release | None:
    """Return the release, or None for a draft and for a tag that is none of a version."""
    tag = release.get("tag_name")
    found = _RELEASE_TAG.fullmatch(tag) if isinstance(tag, str) and len(tag) <= _LONGEST_TAG else None
    if found is None or release.get("draft"):
        return None
    major, minor, patch, before = found.groups()
    return Release(found[0], (int(major), int(minor), int(patch)), final=not before and not release.get("prerelease"))


def main() -> int:
    """Decide for the event in the environment and the releases on stdin."""
    try:
        releases = _read_pages(sys.stdin.read())
        tags = choose_tags(os.environ["GITHUB_EVENT_NAME"], os.environ["GITHUB_REF"], releases)
        version = check_version(tags, PROJECT)
    except RefusedError as error:
        print(f"tags: {error}", file=sys.stderr)
        return 1
    print(f"version={version}", "rules<<END", *(f"type=raw,value={tag}" for tag in tags), "END", sep="\n")
    return 0


def _read_pages(text: str) -> list[dict[str, Any]]:
    try:
        return [release for page in json.loads(text) for release in page]
    except json.JSONDecodeError as error:
        raise RefusedError(f"which releases there are cannot be read: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
