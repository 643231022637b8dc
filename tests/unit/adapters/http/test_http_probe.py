"""An outside look at an app that listens on loopback."""

import threading
import time
from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from orchestrator.adapters.http.probe import HttpProbe


@pytest.mark.parametrize("status", [200, 204, 404, 500, 503])
def test_status_is_returned_unchanged(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/health").respond_with_data("", status=status)
    answer = HttpProbe().get(httpserver.url_for("/health"), timeout_s=2)
    assert (answer.status, answer.error) == (status, "")
    assert len(httpserver.log) == 1


def test_the_body_is_told(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/health").respond_with_data('{"version": "v1.1.0 ✓"}')
    assert HttpProbe().get(httpserver.url_for("/health"), timeout_s=2).body == '{"version": "v1.1.0 ✓"}'


def test_an_app_is_asked_in_the_name_of_the_address_that_users_ask_at(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/health").respond_with_data("ok")
    url = httpserver.url_for("/health")
    assert HttpProbe().get(url, timeout_s=2, asked="https://ana:secret@shop.example/health").status == 200
    headers = httpserver.log[0][0].headers
    assert (headers["Host"], headers["X-Forwarded-Proto"]) == ("shop.example", "https")
    assert "Authorization" not in headers
    assert "X-Forwarded-For" not in headers
    assert HttpProbe().get(url, timeout_s=2).status == 200
    assert httpserver.log[1][0].headers["Host"] == f"localhost:{httpserver.port}"


def test_a_redirect_is_not_followed(httpserver: HTTPServer) -> None:
    away = Response(status=302, headers={"Location": "/elsewhere"})
    httpserver.expect_request("/health").respond_with_response(away)
    assert HttpProbe().get(httpserver.url_for("/health"), timeout_s=2).status == 302
    assert len(httpserver.log) == 1


def test_a_long_body_is_cut(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/health").respond_with_data("x" * 1_000_000)
    assert HttpProbe().get(httpserver.url_for("/health"), timeout_s=2).body == "x" * 65536


def test_bytes_that_are_no_text_are_replaced(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/health").respond_with_data(b"\xff")
    assert HttpProbe().get(httpserver.url_for("/health"), timeout_s=2).body == "\ufffd"


def test_a_closed_port_is_no_connection() -> None:
    answer = HttpProbe().get("http://127.0.0.1:9/", timeout_s=2)
    assert (answer.status, answer.error) == (None, "no connection")


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://localhost/", "http://[", "http://localhost:99999/"])
def test_an_address_that_is_none_is_an_answer_too(url: str) -> None:
    answer = HttpProbe().get(url, timeout_s=2)
    assert answer.status is None
    assert answer.error


def test_an_app_that_drips_is_given_up_in_time(httpserver: HTTPServer) -> None:
    released = threading.Event()

    def drip() -> Iterator[bytes]:
        while not released.wait(0.05):
            yield b"x"

    httpserver.expect_request("/health").respond_with_handler(lambda _: Response(drip()))
    began = time.monotonic()
    try:
        answer = HttpProbe().get(httpserver.url_for("/health"), timeout_s=0.3)
    finally:
        released.set()
    assert answer.status is None
    assert "within 0.3 s" in answer.error
    assert time.monotonic() - began < 2


def test_a_proxy_is_not_asked_for_loopback(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    httpserver.expect_request("/health").respond_with_data("ok")
    assert HttpProbe().get(httpserver.url_for("/health"), timeout_s=2).status == 200
