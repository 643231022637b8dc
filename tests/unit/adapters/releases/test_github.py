"""Releases from GitHub, and HTTP with servers that mean no good. The servers listen on loopback."""

import gzip
import json
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from orchestrator.adapters.http.addresses import is_loopback
from orchestrator.adapters.http.client import Limits, run_bounded
from orchestrator.adapters.http.rate_limit import read_retry_at
from orchestrator.adapters.releases.github import GitHubFeed
from orchestrator.core.errors import PlanError, ReleaseError
from orchestrator.core.model.releases import Release

pytestmark = pytest.mark.slow

PATH = "/repos/org/app/releases"
TOKEN = "ghp_canary"
QUICK = Limits(connect_s=1, read_s=1, total_s=5)


def entry(tag: str, **more: object) -> dict[str, object]:
    return {"tag_name": tag, "body": None, "html_url": f"https://github.com/org/app/{tag}", **more}


def feed(server: HTTPServer, token: str | None = None, limits: Limits = QUICK) -> GitHubFeed:
    return GitHubFeed("org/app", server.url_for(""), token, limits=limits)


def failure(server: HTTPServer, token: str | None = None, limits: Limits = QUICK) -> ReleaseError:
    with pytest.raises(ReleaseError) as caught:
        feed(server, token, limits).list_releases()
    return caught.value


def test_releases_are_listed_with_their_notes(httpserver: HTTPServer) -> None:
    listed = [entry("v1.1.0", body="New", published_at="2025-01-30T14:30:00Z"), entry("v1.2.0", prerelease=True)]
    httpserver.expect_request(PATH, query_string="per_page=100").respond_with_json(listed)
    first, second = feed(httpserver).list_releases()
    assert (first.version, first.notes, first.url) == ("v1.1.0", "New", "https://github.com/org/app/v1.1.0")
    assert second.prerelease


def test_the_token_travels_in_the_header_alone(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH, headers={"Authorization": f"Bearer {TOKEN}"}).respond_with_json([])
    ours = feed(httpserver, TOKEN)
    assert ours.list_releases() == ()
    assert TOKEN not in repr(ours)
    request, _ = httpserver.log[0]
    assert TOKEN not in request.url


def test_a_login_of_netrc_does_not_replace_the_token(
    httpserver: HTTPServer, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text(f"machine {httpserver.host} login user password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    httpserver.expect_request(PATH, headers={"Authorization": f"Bearer {TOKEN}"}).respond_with_json([])
    assert feed(httpserver, TOKEN).list_releases() == ()


def test_a_proxy_is_not_asked_for_loopback(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    httpserver.expect_request(PATH).respond_with_json([])
    assert feed(httpserver).list_releases() == ()


def test_entries_of_another_shape_are_left_out(httpserver: HTTPServer) -> None:
    listed = ["v1", None, {}, {"tag_name": 3}, entry("v1 ; x"), entry("v1.0.0", draft="no"), entry("v1.1.0")]
    httpserver.expect_request(PATH).respond_with_json(listed)
    assert [release.version for release in feed(httpserver).list_releases()] == ["v1.1.0"]


def test_pages_are_followed_up_to_five(httpserver: HTTPServer) -> None:
    def page(request: Request) -> Response:
        number = int(request.args.get("page", "1"))
        link = f'<{httpserver.url_for(PATH)}?page={number + 1}>; rel="next"'
        return Response(json.dumps([entry(f"v1.{number}.0")]), headers={"Link": link})

    httpserver.expect_request(PATH).respond_with_handler(page)
    versions = [release.version for release in feed(httpserver).list_releases()]
    assert versions == [f"v1.{number}.0" for number in range(1, 6)]


def test_a_next_page_on_another_host_is_hostile(httpserver: HTTPServer) -> None:
    link = {"Link": '<http://127.0.0.1:9/steal>; rel="next"'}
    httpserver.expect_request(PATH).respond_with_json([], headers=link)
    assert failure(httpserver, TOKEN).code == "releases.hostile"


def test_a_renamed_repository_is_followed(httpserver: HTTPServer) -> None:
    moved = Response(status=301, headers={"Location": "/repositories/7/releases"})
    httpserver.expect_request(PATH).respond_with_response(moved)
    httpserver.expect_request("/repositories/7/releases").respond_with_json([entry("v1.0.0")])
    assert feed(httpserver).list_releases()[0].version == "v1.0.0"


@pytest.mark.parametrize("location", ["http://127.0.0.1:9/", "//example.org/", PATH])
def test_a_redirect_elsewhere_or_in_a_circle_is_hostile(httpserver: HTTPServer, location: str) -> None:
    away = Response(status=302, headers={"Location": location})
    httpserver.expect_request(PATH).respond_with_response(away)
    assert failure(httpserver, TOKEN).code == "releases.hostile"


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [
        (401, {}, "releases.denied"),
        (403, {}, "releases.denied"),
        (403, {"X-RateLimit-Remaining": "0"}, "releases.rate_limited"),
        (404, {}, "releases.not_found"),
        (429, {}, "releases.rate_limited"),
        (418, {}, "releases.hostile"),
        (204, {}, "releases.hostile"),
        (500, {}, "releases.unreachable"),
        (502, {}, "releases.unreachable"),
    ],
)
def test_each_refusal_has_its_code(httpserver: HTTPServer, status: int, headers: dict[str, str], code: str) -> None:
    httpserver.expect_request(PATH).respond_with_data("<b>canary</b>", status=status, headers=headers)
    error = failure(httpserver, TOKEN)
    assert error.code == code
    told = "".join(traceback.format_exception(error)) + " ".join(error.sentences())
    assert TOKEN not in told
    assert "canary" not in told
    assert "per_page" not in error.summary


@pytest.mark.parametrize("reset", ["1767225600", "soon", "9" * 30])
def test_rate_limit_names_its_end_when_known(httpserver: HTTPServer, reset: str) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    httpserver.expect_request(PATH).respond_with_data("", status=403, headers=headers)
    hint = failure(httpserver).hint
    assert ("after 2026-01-01 00:00 UTC" in hint) == (reset == "1767225600")


def test_a_server_that_recovers_is_asked_again(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_data("", status=503, headers={"Retry-After": "0"})
    httpserver.expect_ordered_request(PATH).respond_with_json([entry("v1.0.0")])
    assert feed(httpserver).list_releases()[0].version == "v1.0.0"


@pytest.mark.parametrize(("status", "code"), [(429, "releases.rate_limited"), (503, "releases.unreachable")])
def test_a_long_retry_after_is_not_waited_for(httpserver: HTTPServer, status: int, code: str) -> None:
    httpserver.expect_request(PATH).respond_with_data("", status=status, headers={"Retry-After": "86400"})
    began = time.monotonic()
    assert failure(httpserver).code == code
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b"null", b"\xff\xfe\x00", b"[" * 50_000, b"[" * 40 + b"]" * 40, b"9" * 5000]
)
def test_a_body_of_another_shape_is_hostile(httpserver: HTTPServer, body: bytes) -> None:
    httpserver.expect_request(PATH).respond_with_data(body)
    assert failure(httpserver).code == "releases.hostile"


def test_a_huge_body_is_hostile(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_data(b" " * (4 * 1024 * 1024 + 1))
    assert failure(httpserver).code == "releases.hostile"


def test_a_gzip_bomb_is_cut_off(httpserver: HTTPServer) -> None:
    bomb = gzip.compress(b" " * (64 * 1024 * 1024), compresslevel=1)
    headers = {"Content-Encoding": "gzip"}
    httpserver.expect_request(PATH).respond_with_data(bomb, headers=headers)
    assert failure(httpserver).code == "releases.hostile"


def test_a_broken_gzip_is_an_error(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_data(b"not gzip", headers={"Content-Encoding": "gzip"})
    assert failure(httpserver).code == "releases.unreachable"


def test_a_gzipped_list_is_read(httpserver: HTTPServer) -> None:
    body = gzip.compress(json.dumps([entry("v1.0.0")]).encode())
    httpserver.expect_request(PATH).respond_with_data(body, headers={"Content-Encoding": "gzip"})
    assert feed(httpserver).list_releases() == (Release(version="v1.0.0", url="https://github.com/org/app/v1.0.0"),)


def test_a_body_that_drips_is_given_up(httpserver: HTTPServer) -> None:
    released = threading.Event()

    def drip() -> Iterator[bytes]:
        while not released.wait(0.05):
            yield b" "

    httpserver.expect_request(PATH).respond_with_handler(lambda _: Response(drip()))
    try:
        assert failure(httpserver, limits=Limits(total_s=0.4)).code == "releases.unreachable"
    finally:
        released.set()


def test_a_body_that_ends_early_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def cut() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[]")

        threading.Thread(target=cut, daemon=True).start()
        with pytest.raises(ReleaseError) as caught:
            GitHubFeed("org/app", f"http://127.0.0.1:{server.getsockname()[1]}", limits=QUICK).list_releases()
    assert caught.value.code == "releases.unreachable"


def test_a_closed_port_is_unreachable() -> None:
    with pytest.raises(ReleaseError) as caught:
        GitHubFeed("org/app", "http://127.0.0.1:9", limits=QUICK).list_releases()
    assert caught.value.code == "releases.unreachable"


@pytest.mark.parametrize("name", ["app", "a/b/c", "../x", "a/..", "a b/c", "a/b?x=1", ""])
def test_a_repository_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(PlanError, match="no GitHub repository"):
        GitHubFeed(name)


def test_a_token_is_never_sent_in_clear_text() -> None:
    with pytest.raises(PlanError, match="unencrypted") as caught:
        GitHubFeed("org/app", "http://github.example.org", TOKEN)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:5000/", True),
        ("http://[::1]/", True),
        ("http://localhost:80", True),
        ("http://localhost.example.org/", False),
        ("http://127.0.0.1.example.org/", False),
        ("http://10.0.0.1/", False),
    ],
)
def test_loopback_is_known_by_name_and_address(url: str, loopback: bool) -> None:
    assert is_loopback(url) == loopback


def test_a_call_that_hangs_is_left_behind() -> None:
    with pytest.raises(TimeoutError):
        run_bounded(threading.Event().wait, 0.01)


def test_a_page_that_has_not_changed_is_remembered(httpserver: HTTPServer) -> None:
    marks = {"1": '"one"', "2": '"two"'}

    def page(request: Request) -> Response:
        number = request.args.get("page", "1")
        if request.headers.get("If-None-Match") == marks[number]:
            return Response(status=304)
        link = {"Link": f'<{httpserver.url_for(PATH)}?page=2>; rel="next"'} if number == "1" else {}
        return Response(json.dumps([entry(f"v1.{number}.0")]), headers={"ETag": marks[number], **link})

    httpserver.expect_request(PATH).respond_with_handler(page)
    ours = feed(httpserver)
    first = ours.list_releases()
    assert ours.list_releases() == first
    marks["2"] = '"changed"'
    assert ours.list_releases() == first
    assert [response.status_code for _, response in httpserver.log] == [200, 200, 304, 304, 304, 200]


def test_an_answer_without_a_mark_is_asked_for_again(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json([entry("v1.0.0")])
    ours = feed(httpserver)
    ours.list_releases()
    ours.list_releases()
    assert all("If-None-Match" not in request.headers for request, _ in httpserver.log)


def test_a_304_that_nobody_asked_for_is_hostile(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_data("", status=304)
    assert failure(httpserver).code == "releases.hostile"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "90"}, 90),
        ({"Retry-After": "Mon, 05 Jan 2026 02:01:00 GMT"}, 60),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1767578430"}, 30),
        ({"X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "1767578430"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "9" * 40}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9" * 40}, None),
        ({}, None),
    ],
)
def test_the_moment_to_ask_again_is_read(headers: dict[str, str], seconds: int | None) -> None:
    now = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
    assert read_retry_at(headers, now) == (now + timedelta(seconds=seconds) if seconds is not None else None)
