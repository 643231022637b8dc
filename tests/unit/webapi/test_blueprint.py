"""The routes that an app mounts."""

import threading
from datetime import timedelta

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from orchestrator.core.errors import ReleaseError
from orchestrator.core.model.releases import Release
from tests.tools.clock import FakeClock
from tests.tools.feed import FakeFeed, unreachable
from webapi import version_blueprint
from webapi.cache import TTL_S

ONE = Release(version="v1.3.0", notes="### New\n- <b>it</b>", url="https://example.org/v1.3.0")


class Bench:
    """An app that mounts the blueprint, and the world that it asks."""

    def __init__(self, *releases: Release, current: str | None = "v1.2.3", health: bool = True) -> None:
        self.feed = FakeFeed(*releases)
        self.clock = FakeClock()
        app = Flask("host")
        app.register_blueprint(version_blueprint(self.feed, current=current, clock=self.clock, health=health))
        self.client: FlaskClient = app.test_client()

    def ask(self, path: str = "/api/version", **headers: str) -> tuple[int, dict[str, object]]:
        """Status and document of an answer."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.client.get(path, headers=names)
        return answer.status_code, answer.get_json()


def test_the_version_is_answered_without_v() -> None:
    status, found = Bench(ONE).ask()
    assert (status, found["current"], found["latest"], found["updateAvailable"]) == (200, "1.2.3", "1.3.0", True)


def test_running_version_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_VERSION", "v1.1.0")
    assert Bench(ONE, current=None).ask()[1]["current"] == "1.1.0"


def test_a_development_build_says_so_and_has_no_update(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APP_VERSION", raising=False)
    found = Bench(ONE, current=None).ask()[1]
    assert (found["current"], found["latest"], found["updateAvailable"]) == ("dev", "1.3.0", False)


def test_a_browser_that_has_the_answer_is_not_sent_it_again() -> None:
    bench = Bench(ONE)
    mark = bench.client.get("/api/version").headers["ETag"]
    again = bench.client.get("/api/version", headers={"If-None-Match": mark})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", mark)
    assert bench.client.get("/api/version", headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_app_may_change_an_answer_on_its_way_and_the_next_one_is_as_it_was() -> None:
    app = Flask("host")
    app.register_blueprint(version_blueprint(FakeFeed(ONE), current="1.2.3"))
    marks = iter(("first", "second"))
    shouted: list[bytes] = []

    @app.after_request
    def change(response: Response) -> Response:
        response.headers.add("X-Mark", next(marks))
        if not shouted:
            shouted.append(response.get_data())
            response.set_data(b"{}")
        return response

    client = app.test_client()
    first, second = client.get("/api/version"), client.get("/api/version")
    assert (first.data, first.headers["Content-Length"], first.headers.getlist("X-Mark")) == (b"{}", "2", ["first"])
    assert (second.data, second.headers.getlist("X-Mark")) == (shouted[0], ["second"])
    assert second.headers["Content-Length"] == str(len(shouted[0]))


def test_an_answer_without_a_body_keeps_its_headers() -> None:
    client = Bench(ONE).client
    whole, head = client.get("/api/version"), client.head("/api/version")
    assert (head.status_code, head.data) == (200, b"")
    assert dict(head.headers) == dict(whole.headers)


def test_force_asks_now_and_reports_whether_it_did() -> None:
    bench = Bench(ONE)
    bench.ask()
    asked = [bench.client.get("/api/version?force=true").headers["X-Forced"] for _ in range(3)]
    assert (asked, bench.feed.asked) == (["true", "false", "false"], 2)


def test_a_page_elsewhere_cannot_make_us_ask() -> None:
    bench = Bench(ONE)
    bench.ask()
    bench.ask("/api/version?force=true", Sec_Fetch_Site="cross-site")
    assert bench.feed.asked == 1


@pytest.mark.parametrize("query", ["force=yes", "force=1", "force=TRUE", "force=true;x"])
def test_force_is_true_or_false(query: str) -> None:
    bench = Bench(ONE)
    status, found = bench.ask(f"/api/version?{query}")
    assert (status, found["reason"], bench.feed.asked) == (400, "bad_request", 0)


@pytest.mark.parametrize("query", ["", "?force=false", "?force=", "?v=7", "?v=%ff%00"])
def test_request_without_force_is_answered_from_the_cache(query: str) -> None:
    bench = Bench(ONE)
    bench.ask()
    assert bench.ask(f"/api/version{query}")[0] == 200
    assert bench.feed.asked == 1


def test_a_failure_shows_the_last_answer_as_stale() -> None:
    bench = Bench(ONE)
    bench.ask()
    bench.clock.advance(TTL_S)
    bench.feed.error = unreachable()
    status, found = bench.ask()
    assert (status, found["latest"], found["stale"], found["reason"]) == (200, "1.3.0", True, "unreachable")


def test_answer_without_data_is_a_503_with_retry_after() -> None:
    bench = Bench()
    retry_at = bench.clock.now() + timedelta(seconds=90)
    bench.feed.error = ReleaseError("releases.rate_limited", "Too many.", retry_at=retry_at)
    answer = bench.client.get("/api/version")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "90")
    assert (answer.json or {}).keys() == {"current", "reason", "message"}


@pytest.mark.parametrize("path", ["/api/version", "/api/version/notes"])
def test_no_answer_names_the_source(path: str) -> None:
    bench = Bench()
    bench.feed.error = unreachable()
    assert b"secret.example" not in bench.client.get(path).data


def test_the_notes_are_text_in_one_place_and_safe_html_in_the_other() -> None:
    bench = Bench(ONE)
    assert bench.ask()[1]["releaseNotes"] == ONE.notes
    status, found = bench.ask("/api/version/notes")
    assert (status, found["version"]) == (200, "1.3.0")
    assert found["html"] == "<h3>New</h3>\n<ul>\n<li>&lt;b&gt;it&lt;/b&gt;</li>\n</ul>\n"


def test_health_asks_nobody() -> None:
    bench = Bench()
    assert bench.ask("/api/health") == (200, {"status": "ok", "version": "1.2.3"})
    assert bench.feed.asked == 0


def test_an_app_keeps_its_own_health() -> None:
    assert Bench(health=False).client.get("/api/health").status_code == 404


@pytest.mark.parametrize("path", ["/api/version", "/api/version/notes", "/api/health", "/api/openapi.json"])
def test_every_answer_keeps_a_browser_from_running_it(path: str) -> None:
    headers = Bench(ONE).client.get(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert (headers["X-Content-Type-Options"], headers["Cross-Origin-Resource-Policy"]) == ("nosniff", "same-origin")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/api/version", "/api/version/notes", "/api/health"])
def test_nothing_can_be_changed(method: str, path: str) -> None:
    assert Bench(ONE).client.open(path, method=method).status_code == 405


def test_the_app_protects_the_blueprint_as_its_own_pages() -> None:
    app = Flask("host")
    blueprint = version_blueprint(FakeFeed(ONE), current="1.2.3")
    blueprint.before_request(lambda: ("log in first", 401))
    app.register_blueprint(blueprint)
    assert app.test_client().get("/api/version").status_code == 401


def test_five_hundred_first_requests_at_once_ask_the_source_once() -> None:
    feed = FakeFeed(ONE)
    everybody_is_here = threading.Barrier(501)
    answered = threading.Event()
    feed.while_asked = answered.wait
    app = Flask("host")
    app.register_blueprint(version_blueprint(feed, current="1.2.3"))
    statuses: list[int] = []

    def request() -> None:
        client = app.test_client()
        everybody_is_here.wait()
        statuses.append(client.get("/api/version").status_code)

    threads = [threading.Thread(target=request) for _ in range(500)]
    for thread in threads:
        thread.start()
    everybody_is_here.wait()
    answered.set()
    for thread in threads:
        thread.join()
    assert (feed.asked, statuses) == (1, [200] * 500)
