"""The release feed of the test bed."""

import json
from pathlib import Path

import pytest

from deploy.demo.feed import FeedEntry, ReleaseFeed


@pytest.fixture
def feed(tmp_path: Path) -> ReleaseFeed:
    return ReleaseFeed(tmp_path / "releases.json")


def test_releases_are_announced_newest_first_with_their_notes(feed: ReleaseFeed) -> None:
    feed.announce("1.0.0", "1.3.0", "1.1.0")
    releases = json.loads(feed.path.read_text())["releases"]
    assert [release["version"] for release in releases] == ["v1.3.0", "v1.1.0", "v1.0.0"]
    assert releases[0]["published_at"] > releases[1]["published_at"]
    assert "**length**" in releases[1]["notes"]


def test_an_entry_has_exactly_the_fields_of_the_feed(feed: ReleaseFeed) -> None:
    feed.write([FeedEntry("v2.0.0", prerelease=True)])
    (entry,) = json.loads(feed.path.read_text())["releases"]
    assert entry.keys() == {"version", "notes", "url", "published_at", "prerelease", "draft"}
    assert entry["prerelease"] is True


def test_writing_leaves_no_second_file(feed: ReleaseFeed) -> None:
    feed.announce("1.0.0")
    feed.announce("1.1.0")
    assert [path.name for path in feed.path.parent.iterdir()] == ["releases.json"]
