"""GitHub that limits, breaks, lies or drips: what our endpoint answers meanwhile. The server listens on loopback."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from orchestrator.adapters.http.client import Limits
from webapi import GitHubFeed, version_blueprint
from webapi.blueprint import WEB_LIMITS

pytestmark = pytest.mark.slow

PATH = "/repos/org/app/releases"
MARK = '"a1"'
QUICK = Limits(connect_s=0.5, read_s=0.3, total_s=0.6, retries=0)

_IN_2100 = "4102444800"

Fault = Callable[[Request], Response]


def _entry(tag: str, **more: object) -> dict[str, object]:
    return {"tag_name": tag, "body": "New", "html_url": f"https://github.com/org/app/{tag}", **more}


def _status(status: int, **headers: str) -> Fault:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Response("{}", status, names)


def _document(content: object) -> Fault:
    return lambda _: Response(json.dumps(content))


def _bytes(body: bytes, **headers: str) -> Fault:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Response(body, headers=names)


def _bomb() -> bytes:
    """1 GiB of spaces in 1 MiB."""
    piece = gzip.compress(b" " * (16 * 1024 * 1024), compresslevel=9)
    return piece * 64


def _drip(_: Request) -> Response:
    never = threading.Event()

    def drops() -> Iterator[bytes]:
        for _ in range(20):
            never.wait(0.1)
            yield b" "

    return Response(drops())


def _hang(_: Request) -> Response:
    threading.Event().wait(0.9)
    return Response("[]")


FAULTS: dict[str, tuple[Fault, str]] = {
    "403": (_status(403), "denied"),
    "403 limited, with reset": (
        _status(403, X_RateLimit_Remaining="0", X_RateLimit_Reset="4102444800"),
        "rate_limited",
    ),
    "403 limited, without reset": (_status(403, X_RateLimit_Remaining="0"), "rate_limited"),
    "403 with Retry-After": (_status(403, Retry_After="120"), "rate_limited"),
    "429 with Retry-After": (_status(429, Retry_After="3600"), "rate_limited"),
    "429 with a date": (_status(429, Retry_After="Fri, 01 Jan 2100 00:00:00 GMT"), "rate_limited"),
    "429 without": (_status(429), "rate_limited"),
    "429 with nonsense": (_status(429, Retry_After="soon", X_RateLimit_Reset="-9e99"), "rate_limited"),
    "401": (_status(401), "denied"),
    "404": (_status(404), "not_found"),
    "500": (_status(500), "unreachable"),
    "503 with Retry-After": (_status(503, Retry_After="30"), "unreachable"),
    "redirect to another host": (_status(302, Location="http://127.0.0.1:9/"), "hostile"),
    "redirect in a circle": (_status(302, Location=PATH), "hostile"),
    "next page on another host": (_bytes(b"[]", Link='<http://127.0.0.1:9/>; rel="next"'), "hostile"),
    "gzip bomb of 1 GiB": (_bytes(_bomb(), Content_Encoding="gzip"), "hostile"),
    "one byte after another": (_drip, "unreachable"),
    "no answer": (_hang, "unreachable"),
    "another JSON type": (_document({"message": "hello"}), "hostile"),
    "HTML": (_bytes(b"<html>Log in to the hotel's network</html>"), "hostile"),
    "deep JSON": (_bytes(b"[" * 5000 + b"]" * 5000), "hostile"),
}

HARMLESS: dict[str, tuple[Fault, str | None]] = {
    "10,000 releases": (_document([_entry(f"v1.{number}.0", body="") for number in range(10_000)]), "1.9999.0"),
    "no releases": (_document([]), None),
    "entries that are none": (_document([None, 7, {}, _entry("v9; rm -rf /"), _entry("v1.4.0")]), "1.4.0"),
    "half a character": (_bytes(b'[{"tag_name": "v1.4.0", "body": "\\ud800"}]'), "1.4.0"),
}


@pytest.fixture(scope="module")
def threaded_server() -> Iterator[HTTPServer]:
    """A server that is not held up by an answer that somebody has given up."""
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture
def httpserver(threaded_server: HTTPServer) -> HTTPServer:
    """That server, without what an earlier test has told it."""
    threaded_server.clear()
    return threaded_server


def mount(server: HTTPServer) -> FlaskClient:
    app = Flask("host")
    app.register_blueprint(version_blueprint(GitHubFeed("org/app", server.url_for(""), limits=QUICK), current="1.0.0"))
    return app.test_client()


def test_table_has_twenty_faults_at_least() -> None:
    assert len(FAULTS) >= 20


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_beside_the_last_answer(httpserver: HTTPServer, name: str) -> None:
    fault, reason = FAULTS[name]
    client = mount(httpserver)
    httpserver.expect_oneshot_request(PATH).respond_with_json([_entry("v1.3.0")])
    assert client.get("/api/version").status_code == 200
    httpserver.expect_request(PATH).respond_with_handler(fault)
    found = client.get("/api/version?force=true").get_json()
    assert (found["latest"], found["updateAvailable"]) == ("1.3.0", True)
    assert (found["stale"], found["reason"]) == (True, reason)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_before_any_answer_is_a_503_and_is_not_tried_again(httpserver: HTTPServer, name: str) -> None:
    fault, reason = FAULTS[name]
    client = mount(httpserver)
    httpserver.expect_request(PATH).respond_with_handler(fault)
    answer = client.get("/api/version")
    assert (answer.status_code, (answer.get_json() or {})["reason"]) == (503, reason)
    assert int(answer.headers["Retry-After"]) >= 1
    asked = len(httpserver.log)
    assert client.get("/api/version").status_code == 503
    assert len(httpserver.log) == asked


@pytest.mark.parametrize("name", HARMLESS)
def test_odd_answer_is_read_as_far_as_possible(httpserver: HTTPServer, name: str) -> None:
    answer, latest = HARMLESS[name]
    httpserver.expect_request(PATH).respond_with_handler(answer)
    client = mount(httpserver)
    found = client.get("/api/version").get_json()
    assert (found["latest"], "stale" in found) == (latest, False)
    assert client.get("/api/version/notes").status_code == 200


def test_unchanged_page_is_not_sent_again(httpserver: HTTPServer) -> None:
    def answer(request: Request) -> Response:
        if request.headers.get("If-None-Match") == MARK:
            return Response(status=304)
        return Response(json.dumps([_entry("v1.3.0")]), headers={"ETag": MARK})

    httpserver.expect_request(PATH).respond_with_handler(answer)
    client = mount(httpserver)
    client.get("/api/version")
    found = client.get("/api/version?force=true").get_json()
    assert [response.status_code for _, response in httpserver.log].count(304) == 1
    assert (found["latest"], "stale" in found) == ("1.3.0", False)


def test_a_web_process_asks_once_and_not_again_at_once() -> None:
    assert WEB_LIMITS.retries == 0
