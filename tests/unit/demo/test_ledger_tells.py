"""The ledger tells its users of newer releases, where its host announces them."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer

from deploy.demo.feed import ReleaseFeed
from deploy.demo.images import RELEASES
from deploy.demo.ledger.app import create_app
from deploy.demo.ledger.database import Database
from deploy.demo.ledger.release import load_release
from deploy.demo.ledger.telling import choose_feed

NOWHERE = Database("postgresql://127.0.0.1:9/nowhere")


def client(release: str, announced: Path | None) -> FlaskClient:
    feed = choose_feed({"RELEASES_FILE": str(announced)}) if announced else None
    return create_app(NOWHERE, load_release(RELEASES, release), f"v{release}", feed).test_client()


@pytest.fixture
def announced(tmp_path: Path) -> Path:
    feed = ReleaseFeed(tmp_path / "releases.json")
    feed.announce("1.0.0", "1.1.0", "1.2.0")
    return feed.path


def test_ledger_shows_only_its_version_without_a_feed() -> None:
    assert client("1.1.0", None).get("/api/version").get_json() == {"current": "1.1.0"}


def test_ledger_shows_a_newer_version_with_a_feed(announced: Path) -> None:
    found = client("1.1.0", announced).get("/api/version").get_json()
    assert (found["current"], found["latest"], found["updateAvailable"]) == ("1.1.0", "1.2.0", True)


def test_a_release_that_lies_about_itself_lies_there_too(announced: Path) -> None:
    lying = load_release(RELEASES, "1.4.0").reported("v1.4.0")
    assert client("1.4.0", announced).get("/api/version").get_json()["current"] == lying


def test_its_own_health_stays_its_own(announced: Path) -> None:
    assert client("1.1.0", announced).get("/api/health").status_code == 503


def test_feed_asks_the_given_repository(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/repos/you/ledger/releases").respond_with_json([{"tag_name": "v1.1.0"}])
    feed = choose_feed({"RELEASES_REPOSITORY": "you/ledger", "RELEASES_API": httpserver.url_for("")})
    app = create_app(NOWHERE, load_release(RELEASES, "1.0.0"), "v1.0.0", feed)
    found = app.test_client().get("/api/version").get_json()
    assert (found["current"], found["latest"], found["updateAvailable"]) == ("1.0.0", "1.1.0", True)
