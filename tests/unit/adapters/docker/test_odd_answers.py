"""Odd answers of a source, a registry, the engine or Compose are read or reported as wrong, and never a bug."""

import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.adapters.compose.names import find_rendering_names
from orchestrator.adapters.compose.rendering import (
    check_template,
    find_dependencies,
    parse_rendering,
    read_name,
    read_restart_policy,
    read_services,
)
from orchestrator.adapters.compose.secret_sources import learn_rendering
from orchestrator.adapters.docker.container_exec import ContainerExec
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.images import EngineImages
from orchestrator.adapters.http.budget import Budget
from orchestrator.adapters.http.client import Answer
from orchestrator.adapters.http.json_reader import clean
from orchestrator.adapters.releases import github, oci_tags
from orchestrator.adapters.releases.file import FileFeed
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.model.releases import Release
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.redaction.redactor import Redactor
from orchestrator.releases.choosing import choose_release
from tests.unit.adapters.docker.odd import BODIES, ODD, vary, write
from webapi.cache import Finding
from webapi.version import build_view

DIGEST = "sha256:" + "a" * 64
URL = "https://source.example/x"
QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)

GITHUB = [
    {"tag_name": "v1.1.0", "body": "New \U0001f600", "html_url": "https://github.com/o/a", "draft": False,
     "published_at": "2025-01-30T14:30:00Z", "prerelease": False, "assets": [{"name": "a"}]},
    {"tag_name": "v1.0.0", "body": None, "published_at": None},
]  # fmt: skip
TAGS = {"name": "org/app", "tags": ["v1.0.0", "latest", "v1.1.0"]}
RELEASES = {"releases": [{"version": "v1.1.0", "notes": "x", "published_at": "2025-01-30", "prerelease": False}]}
CONTAINER = {
    "Id": "c1", "Name": "/app", "Image": DIGEST, "RestartCount": 0,
    "State": {"Status": "running", "ExitCode": 0, "Health": {"Status": "healthy"}, "Pid": 17},
    "Config": {"Image": "org/app:v1", "Labels": {"a": "b"}, "StopTimeout": 10, "Env": ["A=b", "C"]},
    "HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}, "PortBindings": {"80/tcp": [{}]}},
    "NetworkSettings": {"Networks": {"n": {"Links": None, "Aliases": ["app"], "IPAddress": "10.0.0.2"}},
                        "Ports": {"80/tcp": [{"HostPort": "80"}], "81/tcp": None}},
    "Mounts": [{"Type": "volume", "Name": "v", "Destination": "/data", "RW": True, "Source": "/s"}],
}  # fmt: skip
LISTED = [
    {"Id": "c1", "Names": ["/app"], "State": "running", "Labels": {"a": "b"}, "HostConfig": {"NetworkMode": "n"},
     "NetworkSettings": {"Networks": {"n": {}}}, "Mounts": [{"Source": "/s", "Type": "volume", "Name": "v"}]},
]  # fmt: skip
IMAGE = {"Id": DIGEST, "RepoDigests": [f"org/app@{DIGEST}"], "Size": 7}
DISTRIBUTION = {
    "Descriptor": {"digest": DIGEST, "size": 1},
    "Platforms": [{"os": "linux", "architecture": "amd64"}, {"os": "unknown", "architecture": "unknown"}],
}
INFO = {"ID": "e", "ServerVersion": "26.1", "Architecture": "x86_64", "DockerRootDir": "/var/lib/docker"}
RENDERING = {
    "name": "app",
    "services": {
        "app": {"image": "org/app:v1", "environment": {"DB_PASSWORD": "hunter2", "N": None}, "depends_on": {"db": {}},
                "command": ["serve", "--token", "x"], "restart": "on-failure:3", "networks": {"n": {"aliases": ["a"]}},
                "deploy": {"restart_policy": {"condition": "any", "max_attempts": 3}}},
        "db": {"image": "postgres:16", "volumes": [{"type": "volume", "source": "d", "target": "/x"}]},
    },
    "volumes": {"d": {"name": "app_d"}}, "secrets": {"s": {"file": "/nowhere"}}, "configs": {"c": {"content": "a: b"}},
}  # fmt: skip


def settle(call: Callable[[], object]) -> object:
    """What comes of it, None where it is told as wrong; anything else that is raised is a bug."""
    try:
        return call()
    except OrchestratorError as error:
        " ".join(error.sentences()).encode()  # can be written
        return None


def use(releases: object) -> None:
    """What `check`, the journal and the web do with releases."""
    assert isinstance(releases, tuple)
    assert all(isinstance(release, Release) for release in releases)
    for release in releases:
        release.model_dump_json().encode()
        (release.notes + release.url).encode()
    settle(lambda: choose_release("v0.9.0", releases, ReleaseRequest()))
    build_view("0.9.0", Finding(releases, datetime(2026, 1, 5, tzinfo=UTC))).body.decode()


def read_github(body: bytes) -> object:
    return github._read_page(Answer(URL, 200, {}, body), Budget()).releases


def read_registry(body: bytes) -> object:
    return oci_tags._read_page(Answer(URL, 200, {}, body), Budget()).releases


def read_file(body: bytes) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feed.json"
        path.write_bytes(body)
        return FileFeed(path).list_releases()


@pytest.mark.parametrize("read", [read_github, read_registry, read_file])
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_body_of_any_bytes_is_read_or_told(read: Callable[[bytes], object], body: bytes) -> None:
    found = settle(lambda: read(body))
    if found is not None:
        use(found)


@QUICK
@given(vary(GITHUB))
def test_a_list_of_github_is_read_or_told(document: object) -> None:
    found = settle(lambda: read_github(write(document)))
    if found is not None:
        use(found)


@QUICK
@given(vary(TAGS))
def test_a_list_of_tags_is_read_or_told(document: object) -> None:
    found = settle(lambda: read_registry(write(document)))
    if found is not None:
        use(found)


@QUICK
@given(vary(RELEASES))
def test_a_release_file_is_read_or_told(document: object) -> None:
    found = settle(lambda: read_file(write(document)))
    if found is not None:
        use(found)


@QUICK
@given(vary(GITHUB) | vary(TAGS) | st.sampled_from(ODD))
def test_what_comes_from_a_token_server_is_a_token_or_told(document: object) -> None:
    token = settle(lambda: oci_tags._read_token(URL, clean(document)))
    assert token is None or str(token).isprintable()


class Api:
    """Answers each call of the SDK with the same document."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def __getattr__(self, name: str) -> Callable[..., object]:
        return lambda *_, **__: self._answer


def engine_that_says(answer: object) -> DockerEngine:
    engine = DockerEngine.connect("unix:///nonexistent/docker.sock")
    engine.__dict__["client"] = SimpleNamespace(api=Api(answer))
    return engine


CALLS: dict[str, tuple[object, Callable[[DockerEngine], object]]] = {
    "info": (INFO, lambda engine: engine.inspect()),
    "image": (IMAGE, lambda engine: image.to_image() if (image := engine.find_image("x")) else None),
    "container": (CONTAINER, lambda engine: _tell(engine.find_container("x"))),
    "list": (
        LISTED,
        lambda engine: [(one.networks, one.sources, one.is_of("p", "s")) for one in engine.list_containers()],
    ),
    "distribution": (DISTRIBUTION, lambda engine: EngineImages(engine).resolve("r", "t")),
    "networks": ([{"Name": "n"}], lambda engine: engine.find_networks({})),
    "network": ({"Name": "n", "Driver": "bridge"}, lambda engine: engine.find_network_driver("n")),
    "volumes": ({"Volumes": [{"Name": "v"}]}, lambda engine: engine.find_volumes({})),
}


def _tell(container: Any) -> object:
    if container is None:
        return None
    status = container.to_status(None).model_dump_json().encode()
    return status, container.needs, container.published, container.addresses, container.stop_timeout_s


@pytest.mark.parametrize("call", CALLS)
def test_a_right_answer_of_the_engine_is_read(call: str) -> None:
    answer, ask = CALLS[call]
    assert ask(engine_that_says(answer))


@pytest.mark.parametrize("call", CALLS)
@settings(parent=QUICK, max_examples=60)
@given(data=st.data())
def test_an_answer_of_the_engine_is_read_or_told(call: str, data: st.DataObject) -> None:
    answer, ask = CALLS[call]
    settle(lambda: ask(engine_that_says(data.draw(vary(answer)))))


@settings(parent=QUICK, max_examples=60)
@given(vary(CONTAINER), vary(LISTED))
def test_what_the_engine_says_of_the_database_is_read_or_told(container: object, listed: object) -> None:
    api = SimpleNamespace(
        inspect_container=lambda *_: container,
        containers=lambda **_: listed,
        inspect_volume=lambda *_: {"Labels": None},
    )
    executor = ContainerExec(lambda: SimpleNamespace(api=api), lambda: "p", "db")  # type: ignore[arg-type,return-value]
    settle(executor.read_environment)
    settle(lambda: executor.inspect_storage("/data"))


def test_null_platforms_and_digests_are_none() -> None:
    engine = engine_that_says({**DISTRIBUTION, "Platforms": None})
    assert EngineImages(engine).resolve("r", "t").platforms == ()
    found = engine_that_says({"Id": "i", "RepoDigests": None, "Size": None}).find_image("x")
    assert found is not None
    assert found.digests == ()


def test_a_wrong_answer_names_who_gave_it_and_what_is_wrong() -> None:
    with pytest.raises(OrchestratorError, match=r"engine's answer cannot be read.*Id: .*string") as caught:
        engine_that_says({**IMAGE, "Id": 7}).find_image("org/app")
    assert caught.value.code == "engine.refused"
    assert caught.value.exit_code != 70


@QUICK
@given(vary(RENDERING))
def test_what_compose_prints_is_read_or_told(document: object) -> None:
    text = json.dumps(document)
    learn_rendering(Redactor(), text)
    find_rendering_names(document)
    settle(lambda: read_name(text))
    settle(lambda: check_template(text, ["app"], "APP_VERSION"))
    settle(lambda: find_dependencies(text, ["app"]))
    services = settle(lambda: read_services(parse_rendering(text)))
    if isinstance(services, dict) and "app" in services:
        settle(lambda: read_restart_policy(text, "app"))


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_rendering_of_any_bytes_is_read_or_told(body: bytes) -> None:
    text = body.decode(errors="replace")
    learn_rendering(Redactor(), text)
    settle(lambda: read_name(text))
