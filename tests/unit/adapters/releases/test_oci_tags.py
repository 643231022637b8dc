"""Releases from the tags of a registry that listens on loopback."""

import base64
import json
from ipaddress import ip_address

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from orchestrator.adapters.http.addresses import Address, read_literal
from orchestrator.adapters.http.budget import Budget, Limits
from orchestrator.adapters.http.client import Answer
from orchestrator.adapters.releases import oci_tags
from orchestrator.adapters.releases.oci_tags import RegistryFeed, split_image
from orchestrator.core.errors import ReleaseError

PATH = "/v2/org/app/tags/list"
LOGIN = ("robot", "canary-password")
QUICK = Limits(connect_s=1, read_s=1, total_s=5)


def feed(server: HTTPServer, login: tuple[str, str] | None = None) -> RegistryFeed:
    return RegistryFeed(f"{server.host}:{server.port}/org/app", login, limits=QUICK)


def versions(server: HTTPServer, login: tuple[str, str] | None = None) -> list[str]:
    return [release.version for release in feed(server, login).list_releases()]


def failure(server: HTTPServer, login: tuple[str, str] | None = None) -> ReleaseError:
    with pytest.raises(ReleaseError) as caught:
        feed(server, login).list_releases()
    return caught.value


def guard(server: HTTPServer, challenge: str, expected: str) -> None:
    def answer(request: Request) -> Response:
        if request.headers.get("Authorization") == expected:
            return Response(json.dumps({"tags": ["v1.0.0"]}))
        return Response(status=401, headers={"WWW-Authenticate": challenge})

    server.expect_request(PATH).respond_with_handler(answer)


@pytest.mark.parametrize(
    ("image", "host", "name"),
    [
        ("postgres", "registry-1.docker.io", "library/postgres"),
        ("org/app", "registry-1.docker.io", "org/app"),
        ("docker.io/app", "registry-1.docker.io", "library/app"),
        ("index.docker.io/org/app", "registry-1.docker.io", "org/app"),
        ("ghcr.io/org/team/app", "ghcr.io", "org/team/app"),
        ("localhost/app", "localhost", "app"),
        ("localhost:5000/app", "localhost:5000", "app"),
    ],
)
def test_images_are_named_as_docker_names_them(image: str, host: str, name: str) -> None:
    assert split_image(image) == (host, name)


def test_only_tags_that_are_versions_are_listed(httpserver: HTTPServer) -> None:
    tags = ["latest", "v1.0.0", "1.1", "main", "sha256-" + "a" * 64 + ".sig", 7, None, "2024.05.01", "v2.0.0-rc.1"]
    httpserver.expect_request(PATH).respond_with_json({"name": "org/app", "tags": tags})
    assert versions(httpserver) == ["v1.0.0", "1.1", "2024.05.01", "v2.0.0-rc.1"]


def test_pages_are_followed(httpserver: HTTPServer) -> None:
    link = {"Link": f'<{PATH}?n=1000&last=v1.0.0>; rel="next"'}
    httpserver.expect_request(PATH, query_string="n=1000").respond_with_json({"tags": ["v1.0.0"]}, headers=link)
    httpserver.expect_request(PATH, query_string="n=1000&last=v1.0.0").respond_with_json({"tags": ["v1.1.0"]})
    assert versions(httpserver) == ["v1.0.0", "v1.1.0"]


def test_endless_pages_end(httpserver: HTTPServer) -> None:
    link = {"Link": f'<{PATH}?n=1000>; rel="next"'}
    httpserver.expect_request(PATH).respond_with_json({"tags": ["v1.0.0"]}, headers=link)
    assert len(versions(httpserver)) == 20


def test_a_next_page_on_another_host_is_hostile(httpserver: HTTPServer) -> None:
    link = {"Link": '<http://127.0.0.1:9/v2/>; rel="next"'}
    httpserver.expect_request(PATH).respond_with_json({"tags": []}, headers=link)
    assert failure(httpserver).code == "releases.hostile"


@pytest.mark.parametrize("login", [None, LOGIN])
def test_a_token_is_fetched_where_the_registry_says(httpserver: HTTPServer, login: tuple[str, str] | None) -> None:
    realm = httpserver.url_for("/token")
    guard(httpserver, f'Bearer realm="{realm}",service="reg",scope="repository:other:push"', "Bearer t0k")
    query = {"service": "reg", "scope": "repository:org/app:pull"}
    httpserver.expect_request("/token", query_string=query).respond_with_json({"access_token": "t0k"})
    assert versions(httpserver, login) == ["v1.0.0"]
    sent = next(request for request, _ in httpserver.log if request.path == "/token").headers
    expected = "Basic " + base64.b64encode(b"robot:canary-password").decode() if login else None
    assert sent.get("Authorization") == expected


def test_a_registry_with_basic_login_is_read(httpserver: HTTPServer) -> None:
    guard(httpserver, 'Basic realm="reg"', "Basic " + base64.b64encode(b"robot:canary-password").decode())
    assert versions(httpserver, LOGIN) == ["v1.0.0"]
    error = failure(httpserver)
    assert error.code == "releases.denied"


def test_a_token_that_is_not_enough_is_denied(httpserver: HTTPServer) -> None:
    guard(httpserver, f'Bearer realm="{httpserver.url_for("/token")}"', "Bearer another")
    httpserver.expect_request("/token").respond_with_json({"token": "t0k"})
    error = failure(httpserver, LOGIN)
    assert error.code == "releases.denied"
    assert "canary" not in " ".join(error.sentences())


@pytest.mark.parametrize("realm", ["http://example.org/token", "", "ftp://example.org/"])
def test_a_token_server_that_cannot_be_trusted_is_hostile(httpserver: HTTPServer, realm: str) -> None:
    guard(httpserver, f'Bearer realm="{realm}"', "never")
    assert failure(httpserver, LOGIN).code == "releases.hostile"


@pytest.mark.parametrize("document", [{}, [], {"token": 7}, {"token": "a\r\nX: y"}])
def test_a_token_of_another_shape_is_hostile(httpserver: HTTPServer, document: object) -> None:
    guard(httpserver, f'Bearer realm="{httpserver.url_for("/token")}"', "never")
    httpserver.expect_request("/token").respond_with_json(document)
    assert failure(httpserver).code == "releases.hostile"


@pytest.mark.parametrize("document", [[], "x", {"tags": "v1.0.0"}, {"tags": {"v1.0.0": 1}}])
def test_a_list_of_another_shape_is_hostile(httpserver: HTTPServer, document: object) -> None:
    httpserver.expect_request(PATH).respond_with_json(document)
    assert failure(httpserver).code == "releases.hostile"


def test_a_repository_without_tags_has_no_releases(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json({"name": "org/app", "tags": None})
    assert versions(httpserver) == []


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "releases.denied"),
        (403, "releases.denied"),
        (404, "releases.not_found"),
        (429, "releases.rate_limited"),
        (500, "releases.unreachable"),
    ],
)
def test_each_refusal_has_its_code(httpserver: HTTPServer, status: int, code: str) -> None:
    httpserver.expect_request(PATH).respond_with_data("", status=status)
    assert failure(httpserver).code == code


def test_tags_that_have_not_changed_are_remembered(httpserver: HTTPServer) -> None:
    def answer(request: Request) -> Response:
        if request.headers.get("If-None-Match") == '"t1"':
            return Response(status=304)
        return Response(json.dumps({"tags": ["v1.0.0"]}), headers={"ETag": '"t1"'})

    httpserver.expect_request(PATH).respond_with_handler(answer)
    ours = feed(httpserver)
    assert ours.list_releases() == ours.list_releases() != ()
    assert [response.status_code for _, response in httpserver.log] == [200, 304]


@pytest.mark.parametrize(
    "realm",
    [
        "https://127.1/t",
        "https://0x7f000001/t",
        "https://2130706433/t",
        "https://[::ffff:127.0.0.1]/t",
        "https://localhost/t",
        "https://auth.example/t",
        "https://169.254.169.254/latest",
        "https://10.0.0.7/t",
        "https://",
        "https://[/t",
    ],
)
def test_a_registry_elsewhere_leads_to_no_door_of_ours(monkeypatch: pytest.MonkeyPatch, realm: str) -> None:
    led_to: list[object] = []
    known = {"registry.example": "93.184.216.34", "auth.example": "127.0.0.1", "localhost": "127.0.0.1"}

    def find(host: str, port: int, **_: object) -> list[Address]:
        literal = read_literal(host)
        return [literal if literal is not None else ip_address(known[host])]

    def connect(address: tuple[str, int], *_: object, **__: object) -> None:
        led_to.append(address)
        raise OSError

    monkeypatch.setattr(oci_tags, "resolve", find)
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    ours = RegistryFeed("registry.example/org/app", LOGIN, limits=QUICK)
    refusal = Answer("https://registry.example/v2/", 401, {"WWW-Authenticate": f'Bearer realm="{realm}"'}, b"")
    with pytest.raises(ReleaseError) as caught:
        ours._authorize(refusal, Budget(QUICK))
    assert caught.value.code == "releases.hostile"
    assert led_to == []


def test_a_token_server_is_connected_to_where_it_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    led_to: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> None:
        led_to.append(address)
        raise OSError

    monkeypatch.setattr(oci_tags, "resolve", lambda _host, _port: [ip_address("93.184.216.34")])
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    ours = RegistryFeed("registry.example/org/app", limits=Limits(retries=0))
    refusal = Answer(
        "https://registry.example/v2/", 401, {"WWW-Authenticate": 'Bearer realm="https://auth.example"'}, b""
    )
    with pytest.raises(ReleaseError, match=r"auth\.example.*could not be read"):
        ours._authorize(refusal, Budget(Limits(retries=0)))
    assert led_to == [("93.184.216.34", 443)]
