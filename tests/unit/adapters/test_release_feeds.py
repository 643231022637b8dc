"""Release sources are read with suspicion: bounded, shape-checked, and with an error that says what to do."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from orchestrator.adapters.github import GitHubFeed
from orchestrator.adapters.http_probe import HttpProbe
from orchestrator.adapters.registry_tags import RegistryFeed, split_image
from orchestrator.adapters.release_file import FileFeed
from orchestrator.errors import ReleaseError

RELEASES = "/repos/owner/app/releases"
TOKEN = "ghp_canary0123456789"


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1") as running:
        yield running


def github(server: HTTPServer, token: str | None = None) -> GitHubFeed:
    return GitHubFeed("owner/app", api_base=server.url_for("/").rstrip("/"), token=token)


def entry(version: object, **more: object) -> dict[str, object]:
    return {
        "tag_name": version,
        "body": "notes",
        "html_url": "https://x/y",
        "published_at": "2025-01-30T14:30:00Z",
        **more,
    }


def test_releases_are_read_with_their_marks(server: HTTPServer) -> None:
    server.expect_request(RELEASES).respond_with_json(
        [entry("v1.1.0"), entry("v2.0.0-rc.1", prerelease=True, draft=True)]
    )
    first, second = github(server).list_releases()
    assert (first.version, first.notes, first.url, first.prerelease) == ("v1.1.0", "notes", "https://x/y", False)
    assert (second.prerelease, second.draft) == (True, True)


def test_all_pages_are_read(server: HTTPServer) -> None:
    def answer(request: Request) -> Response:
        page = int(request.args.get("page", "1"))
        link = f'<{server.url_for(RELEASES)}?page={page + 1}>; rel="next"' if page < 3 else ""
        return Response(json.dumps([entry(f"v1.{page}.0")]), headers={"Link": link}, mimetype="application/json")

    server.expect_request(RELEASES).respond_with_handler(answer)
    assert [r.version for r in github(server).list_releases()] == ["v1.1.0", "v1.2.0", "v1.3.0"]


def test_a_page_on_another_host_is_not_followed(server: HTTPServer) -> None:
    headers = {"Link": '<http://127.0.0.2:9/elsewhere>; rel="next"'}
    server.expect_request(RELEASES).respond_with_json([entry("v1.1.0")], headers=headers)
    assert len(github(server).list_releases()) == 1


def test_entries_that_are_no_releases_are_left_out(server: HTTPServer) -> None:
    hostile = [entry("v1.1.0"), entry("v1.2.0; rm -rf /"), entry(None), "text", 7, entry("v1\u202e.0"), {}]
    server.expect_request(RELEASES).respond_with_json(hostile)
    assert [r.version for r in github(server).list_releases()] == ["v1.1.0"]


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [
        (401, {}, "releases.denied"),
        (403, {}, "releases.denied"),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1738247400"}, "releases.rate_limited"),
        (429, {"Retry-After": "60"}, "releases.rate_limited"),
        (404, {}, "releases.not_found"),
        (500, {}, "releases.unreachable"),
        (302, {"Location": "http://127.0.0.2:9/"}, "releases.unreachable"),
    ],
)
def test_each_refusal_has_its_own_error(server: HTTPServer, status: int, headers: dict[str, str], code: str) -> None:
    server.expect_request(RELEASES).respond_with_data("", status=status, headers=headers)
    with pytest.raises(ReleaseError) as caught:
        github(server).list_releases()
    assert caught.value.code == code


def test_a_rate_limit_says_until_when(server: HTTPServer) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1738247400"}
    server.expect_request(RELEASES).respond_with_data("", status=403, headers=headers)
    with pytest.raises(ReleaseError, match="until 2025-01-30 14:30 UTC"):
        github(server).list_releases()


@pytest.mark.parametrize("body", ["<html>", '{"a": 1}', "[" * 100_000, " " * (5 * 1024**2)])
def test_a_hostile_body_is_refused(server: HTTPServer, body: str) -> None:
    server.expect_request(RELEASES).respond_with_data(body, content_type="application/json")
    with pytest.raises(ReleaseError) as caught:
        github(server).list_releases()
    assert caught.value.code == "releases.hostile"


def test_the_token_is_sent_and_never_shown(server: HTTPServer) -> None:
    server.expect_request(RELEASES, headers={"Authorization": f"Bearer {TOKEN}"}).respond_with_json([], status=500)
    feed = github(server, TOKEN)
    with pytest.raises(ReleaseError) as caught:
        feed.list_releases()
    assert TOKEN not in repr(feed) + str(caught.value.sentences())


def test_a_source_that_does_not_answer_is_unreachable() -> None:
    with pytest.raises(ReleaseError) as caught:
        GitHubFeed("owner/app", api_base="http://127.0.0.1:9").list_releases()
    assert caught.value.code == "releases.unreachable"


def test_tags_of_a_registry_are_releases_if_they_are_versions(server: HTTPServer) -> None:
    tags = {"name": "app", "tags": ["latest", "v1.0.0", "v1.1.0", "sha256-ab.sig", "main"]}
    server.expect_request("/v2/team/app/tags/list").respond_with_json(tags)
    feed = RegistryFeed(f"127.0.0.1:{server.port}/team/app")
    assert [r.version for r in feed.list_releases()] == ["v1.0.0", "v1.1.0"]


def test_a_registry_that_asks_for_a_token_gets_one(server: HTTPServer) -> None:
    challenge = f'Bearer realm="{server.url_for("/token")}",service="reg",scope="repository:team/app:pull"'
    listing = "/v2/team/app/tags/list"
    server.expect_request(listing, headers={"Authorization": "Bearer t0"}).respond_with_json({"tags": ["v1.0.0"]})
    server.expect_request(listing).respond_with_data("", status=401, headers={"WWW-Authenticate": challenge})
    server.expect_request(
        "/token", query_string={"service": "reg", "scope": "repository:team/app:pull"}
    ).respond_with_json({"token": "t0"})
    assert [r.version for r in RegistryFeed(f"127.0.0.1:{server.port}/team/app").list_releases()] == ["v1.0.0"]


@pytest.mark.parametrize(
    ("image", "base", "repository"),
    [
        ("postgres", "https://registry-1.docker.io", "library/postgres"),
        ("me/app", "https://registry-1.docker.io", "me/app"),
        ("docker.io/me/app", "https://registry-1.docker.io", "me/app"),
        ("ghcr.io/me/app", "https://ghcr.io", "me/app"),
        ("127.0.0.1:5000/app", "http://127.0.0.1:5000", "app"),
        ("localhost:5000/app", "http://localhost:5000", "app"),
        ("registry.example:5000/a/b", "https://registry.example:5000", "a/b"),
    ],
)
def test_an_image_name_leads_to_its_registry(image: str, base: str, repository: str) -> None:
    assert split_image(image) == (base, repository)


def test_a_file_of_releases_is_read(tmp_path: Path) -> None:
    path = tmp_path / "releases.json"
    path.write_text(json.dumps({"releases": [{"version": "v1.1.0", "notes": "new"}]}))
    assert [(r.version, r.notes) for r in FileFeed(path).list_releases()] == [("v1.1.0", "new")]


@pytest.mark.parametrize("text", ["", "[]", '{"releases": [{"version": "a b"}]}', "[" * 100_000])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "releases.json"
    path.write_text(text)
    with pytest.raises(ReleaseError) as caught:
        FileFeed(path).list_releases()
    assert caught.value.code == "releases.hostile"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"nowhere\.json"):
        FileFeed(tmp_path / "nowhere.json").list_releases()


def test_a_probe_tells_what_the_app_answers_and_follows_nothing(server: HTTPServer) -> None:
    server.expect_request("/health").respond_with_data("x" * 200_000, status=503)
    server.expect_request("/moved").respond_with_data("", status=302, headers={"Location": "/health"})
    answer = HttpProbe().get(server.url_for("/health"), timeout_s=5)
    assert (answer.status, len(answer.body)) == (503, 64 * 1024)
    assert HttpProbe().get(server.url_for("/moved"), timeout_s=5).status == 302


def test_a_probe_of_an_app_that_is_down_is_an_answer_too() -> None:
    answer = HttpProbe().get("http://127.0.0.1:9/", timeout_s=5)
    assert answer.status is None
    assert answer.error
