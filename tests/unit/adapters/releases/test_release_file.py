"""Releases in a file."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.adapters.releases.file import FileFeed, read_release
from orchestrator.core.errors import ReleaseError
from orchestrator.core.model.releases import Release


def write(path: Path, document: object) -> FileFeed:
    path.write_text(json.dumps(document), encoding="utf-8")
    return FileFeed(path)


def test_entries_are_read_with_all_their_fields(tmp_path: Path) -> None:
    entry = {
        "version": "v1.2.0",
        "notes": "New **things**",
        "url": "https://example.org/v1.2.0",
        "published_at": "2025-01-30T15:30:00+01:00",
        "prerelease": True,
        "draft": False,
    }
    (release,) = write(tmp_path / "feed.json", {"releases": [entry]}).list_releases()
    assert release == Release(
        version="v1.2.0",
        notes="New **things**",
        url="https://example.org/v1.2.0",
        published_at=datetime(2025, 1, 30, 14, 30, tzinfo=UTC),
        prerelease=True,
    )


@pytest.mark.parametrize(
    "entry",
    [
        "v1.0.0",
        None,
        {},
        {"version": 1.1},
        {"version": "v1.0.0; rm -rf"},
        {"version": "v1.\u0430"},
        {"version": "1" * 65},
        {"version": "v1", "notes": ["a"]},
        {"version": "v1", "draft": "no"},
        {"version": "v1", "published_at": "yesterday"},
    ],
)
def test_an_entry_of_another_shape_is_left_out(tmp_path: Path, entry: object) -> None:
    feed = write(tmp_path / "feed.json", {"releases": [entry, {"version": "v2.0.0"}]})
    assert feed.list_releases() == (Release(version="v2.0.0"),)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError) as caught:
        FileFeed(tmp_path / "none.json").list_releases()
    assert caught.value.code == "releases.not_found"


def test_a_folder_is_no_release_file(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError) as caught:
        FileFeed(tmp_path).list_releases()
    assert caught.value.code == "releases.denied"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"releases": {}}', "null", "[" * 100_000, " " * (4 * 1024 * 1024 + 1)]
)
def test_a_file_of_another_shape_is_hostile(tmp_path: Path, text: str) -> None:
    path = tmp_path / "feed.json"
    path.write_text(text)
    with pytest.raises(ReleaseError) as caught:
        FileFeed(path).list_releases()
    assert caught.value.code == "releases.hostile"


def test_a_list_that_is_longer_than_any_source_may_send_is_hostile(tmp_path: Path) -> None:
    entries = [{"version": f"v1.{number}.0"} for number in range(20_001)]
    with pytest.raises(ReleaseError, match="lists more than 20000 entries") as caught:
        write(tmp_path / "feed.json", {"releases": entries}).list_releases()
    assert caught.value.code == "releases.hostile"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "http://[", ""])
def test_an_address_off_the_web_is_left_out(url: str) -> None:
    release = read_release({"version": "v1", "url": url})
    assert release is not None
    assert release.url == ""


def test_a_date_without_a_zone_counts_as_utc() -> None:
    release = read_release({"version": "v1", "published_at": "2025-01-30T15:30:00"})
    assert release is not None
    assert release.published_at == datetime(2025, 1, 30, 15, 30, tzinfo=UTC)
