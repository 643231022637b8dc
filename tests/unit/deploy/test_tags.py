"""Which tags an image gets, for everything that can happen to the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.release.tags import MAIN, RefusedError, check_version, choose_tags

Document = dict[str, Any]


def publish(tag: object, *, prerelease: bool = False, draft: bool = False) -> Document:
    return {"tag_name": tag, "prerelease": prerelease, "draft": draft}


def tags_of(tag: object, *others: Document | str, prerelease: bool = False) -> list[str]:
    """The tags of a version whose tag is pushed beside other releases; a draft with notes may be prepared for it."""
    prepared = publish(tag, prerelease=prerelease, draft=True)
    releases = [publish(other) if isinstance(other, str) else other for other in others]
    return choose_tags("push", f"refs/tags/{tag}", [prepared, *releases])


def test_a_push_to_main_moves_latest_alone() -> None:
    assert choose_tags("push", MAIN, [publish("v1.2.3")]) == ["latest"]


@pytest.mark.parametrize(
    ("tag", "others", "tags"),
    [
        ("v1.2.3", [], ["v1.2.3", "latest", "1.2", "1"]),
        ("v1.2.3", ["v1.2.2", "v1.1.9", "v0.9.0"], ["v1.2.3", "latest", "1.2", "1"]),
        ("v1.2.10", ["v1.2.9"], ["v1.2.10", "latest", "1.2", "1"]),
        ("v2.0.0", ["v1.9.9"], ["v2.0.0", "latest", "2.0", "2"]),
        ("v0.1.0", [], ["v0.1.0", "latest", "0.1", "0"]),
    ],
)
def test_the_newest_release_moves_every_alias(tag: str, others: list[str], tags: list[str]) -> None:
    assert tags_of(tag, *others) == tags


@pytest.mark.parametrize(
    ("tag", "others", "tags"),
    [
        ("v1.2.2", ["v1.2.3"], ["v1.2.2"]),
        ("v1.2.2", ["v1.3.0"], ["v1.2.2", "1.2"]),
        ("v1.2.2", ["v1.2.3", "v1.3.0"], ["v1.2.2"]),
        ("v1.2.4", ["v1.2.3", "v1.3.0"], ["v1.2.4", "1.2"]),
        ("v1.9.9", ["v2.0.0"], ["v1.9.9", "1.9", "1"]),
        ("v1.2.2", ["v1.2.10"], ["v1.2.2"]),
    ],
)
def test_an_older_release_moves_no_alias_backwards(tag: str, others: list[str], tags: list[str]) -> None:
    assert tags_of(tag, *others) == tags


@pytest.mark.parametrize(
    ("tag", "marked"), [("v1.3.0-rc.1", True), ("v1.3.0-rc.1", False), ("v1.3.0", True), ("v1.3.0-x-y.7", False)]
)
def test_a_prerelease_moves_nothing(tag: str, marked: bool) -> None:
    assert tags_of(tag, "v1.2.3", prerelease=marked) == [tag]
    assert tags_of(tag, prerelease=marked) == [tag]


def test_a_prerelease_or_a_draft_of_a_newer_version_holds_no_alias_back() -> None:
    newer = [publish("v1.3.0-rc.1"), publish("v2.0.0", prerelease=True), publish("v1.2.9", draft=True)]
    assert tags_of("v1.2.3", *newer) == ["v1.2.3", "latest", "1.2", "1"]


def test_other_tags_of_the_repository_count_for_nothing() -> None:
    others = [publish(tag) for tag in ("nightly", "v9", "v9.9", "9.9.9", "v9.9.9.9", "V9.9.9", "", None)]
    assert tags_of("v1.2.3", *others) == ["v1.2.3", "latest", "1.2", "1"]


def test_a_release_that_is_published_is_never_made_again() -> None:
    with pytest.raises(RefusedError, match=r"release v1\.2\.3 is published"):
        tags_of("v1.2.3", "v1.2.3")


def test_a_release_needs_no_draft() -> None:
    assert choose_tags("push", "refs/tags/v1.2.3", []) == ["v1.2.3", "latest", "1.2", "1"]


@pytest.mark.parametrize(
    "tag",
    [
        "",
        None,
        "latest",
        "1.2.3",
        "v1",
        "v1.2",
        "v1.2.3.4",
        "v01.2.3",
        "v1.2.3-",
        "v1.2.3-01",
        "v1.2.3+build.5",
        "v1.2.3 ",
        "v1.2.3\nlatest",
        "v1.2.3;id",
        "v$(id).2.3",
        "v١.2.3",  # an Arabic digit
        "v1.2.3-" + "a" * 128,
    ],
)
def test_a_tag_that_is_none_of_a_version_publishes_nothing(tag: object) -> None:
    with pytest.raises(RefusedError, match="is no tag of a release"):
        tags_of(tag)


@pytest.mark.parametrize(
    ("event", "ref"),
    [
        ("push", "refs/heads/topic"),
        ("release", "refs/tags/v1.2.3"),
        ("pull_request", MAIN),
        ("schedule", MAIN),
        ("", ""),
    ],
)
def test_nothing_else_publishes(event: str, ref: str) -> None:
    with pytest.raises(RefusedError, match="publishes nothing"):
        choose_tags(event, ref, [])


def test_a_release_is_made_of_a_commit_that_says_its_version(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nversion = "1.2.3"\n')
    assert check_version(["v1.2.3", "latest"], project) == "v1.2.3"
    assert check_version(["latest"], project) == "dev"
    with pytest.raises(RefusedError, match=r"release v1\.2\.4 was made of a commit .* says version 1\.2\.3"):
        check_version(["v1.2.4"], project)
