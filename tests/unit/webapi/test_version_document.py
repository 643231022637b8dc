"""The document about versions."""

import json
from datetime import UTC, datetime

import pytest

from orchestrator.core.model.releases import Release
from webapi.cache import Finding
from webapi.version import PROBLEMS, View, build_view, read_current

CHECKED = datetime(2025, 1, 30, 14, 30, 0, 999, tzinfo=UTC)
KEYS = ["current", "latest", "updateAvailable", "releaseUrl", "releaseNotes", "lastChecked"]


def view(current: str, *releases: Release, problem: str = "") -> View:
    return build_view(current, Finding(releases, CHECKED, problem))


def document(current: str, *releases: Release, problem: str = "") -> dict[str, object]:
    found: dict[str, object] = json.loads(view(current, *releases, problem=problem).body)
    return found


def test_the_document_has_its_six_fields_and_no_other() -> None:
    url = "https://github.com/yourorg/remote-agent/releases/tag/v1.3.0"
    notes = "### What's New\n- Feature X\n- Bug fix Y"
    found = document("1.2.3", Release(version="v1.3.0", url=url, notes=notes))
    assert list(found) == KEYS
    assert found == {
        "current": "1.2.3",
        "latest": "1.3.0",
        "updateAvailable": True,
        "releaseUrl": url,
        "releaseNotes": notes,
        "lastChecked": "2025-01-30T14:30:00Z",
    }


def test_stale_answer_names_its_reason() -> None:
    found = document("1.2.3", Release(version="v1.3.0"), problem="rate_limited")
    assert list(found) == [*KEYS, "stale", "reason"]
    assert (found["stale"], found["reason"]) == (True, "rate_limited")


@pytest.mark.parametrize(
    ("current", "published", "available"),
    [
        ("1.2.3", "v1.3.0", True),
        ("1.9.0", "1.10.0", True),
        ("1.3.0", "v1.3.0", False),
        ("1.4.0", "v1.3.0", False),
        ("1.3.0-rc.1", "v1.3.0", True),
        ("dev", "v1.3.0", False),
        ("main-4f2a91c", "v1.3.0", False),
    ],
)
def test_an_update_is_what_is_newer_than_a_version_that_can_be_compared(
    current: str, published: str, available: bool
) -> None:
    assert document(current, Release(version=published))["updateAvailable"] is available


@pytest.mark.parametrize(
    "release",
    [
        Release(version="v9.0.0", draft=True),
        Release(version="v9.0.0", prerelease=True),
        Release(version="v9.0.0-rc.1"),
        Release(version="nightly"),
    ],
)
def test_draft_or_unstable_release_is_never_offered(release: Release) -> None:
    found = document("1.2.3", release, Release(version="v1.2.3"))
    assert (found["latest"], found["updateAvailable"]) == ("1.2.3", False)


def test_without_any_release_there_is_no_latest() -> None:
    found = document("1.2.3")
    assert (found["latest"], found["releaseUrl"], found["releaseNotes"]) == (None, None, "")


@pytest.mark.parametrize("url", ["http://example.org/x", "https:///x", "https://[", ""])
def test_a_page_that_is_not_on_https_is_not_linked(url: str) -> None:
    assert document("1.0.0", Release(version="v1.1.0", url=url))["releaseUrl"] is None


def test_endless_notes_are_cut() -> None:
    assert len(str(document("1.0.0", Release(version="v1.1.0", notes="x" * 10**6))["releaseNotes"])) == 65_539


@pytest.mark.parametrize("problem", sorted(PROBLEMS))
def test_without_data_the_answer_says_what_runs_and_why_there_is_none(problem: str) -> None:
    found = build_view("1.2.3", Finding(problem=problem))
    assert not found.found
    assert json.loads(found.body) == {"current": "1.2.3", "reason": problem, "message": PROBLEMS[problem]}


def test_unknown_problem_is_reported_as_internal() -> None:
    assert document("1.2.3", problem="odd")["reason"] == "internal"
    assert json.loads(build_view("1.2.3", Finding(problem="odd")).body)["reason"] == "internal"


@pytest.mark.parametrize(
    ("text", "current"),
    [
        ("v1.2.3", "1.2.3"),
        (" 1.2.3\n", "1.2.3"),
        (None, "dev"),
        ("", "dev"),
        ("dev", "dev"),
        ("1.2.3 <b>", "dev"),
        ("1" * 65, "dev"),
        ("\N{CYRILLIC SMALL LETTER A}1", "dev"),
    ],
)
def test_reported_version_is_read_without_its_v(text: str | None, current: str) -> None:
    assert read_current(text) == current
