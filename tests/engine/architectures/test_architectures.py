"""The images as they are published: for both architectures, with what proves their origin, and each of them starts."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from deploy.demo.bed import Bed, LedgerHost, run_command
from deploy.demo.foreign import ensure_foreign
from deploy.demo.images import CHECKOUT, MACHINES, ORCHESTRATOR_REQUIREMENTS, REQUIREMENTS
from tests.engine.architectures.publishing import VERSION, Published, Publisher, make_publisher
from tests.engine.private_engine import PrivateEngine
from tests.engine.trouble import within

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]

START_S = 240
RELEASED = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
PROVENANCE = "https://slsa.dev/provenance/v0.2"
SBOM = "https://spdx.dev/Document"
SECOND = 10**9

LOCKS = {"app": REQUIREMENTS, "orchestrator": ORCHESTRATOR_REQUIREMENTS[0]}
LOCKED = re.compile(r"^(\S+)==(\S+) \\$", re.MULTILINE)
"""Name and version of what is installed on every system."""


@dataclass(frozen=True)
class Stand:
    bed: Bed
    engine: PrivateEngine
    publisher: Publisher


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with ExitStack() as stack:
        bed = stack.enter_context(Bed("both"))
        foreign = ensure_foreign()
        engine = stack.enter_context(PrivateEngine(features={"containerd-snapshotter": True}))
        for image in (bed.bases.python, bed.bases.postgres):
            engine.load(image)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("DOCKER_HOST", engine.address)
        publisher = stack.enter_context(make_publisher(bed, foreign, tmp_path_factory.mktemp("syft")))
        stack.enter_context(engine.reaching(bed.registry.port))
        stack.enter_context(engine.inside())
        yield Stand(bed, engine, publisher)


@pytest.fixture(scope="module")
def app(stand: Stand) -> Published:
    return stand.publisher.publish("app")


@pytest.fixture(scope="module")
def orchestrator(stand: Stand) -> Published:
    return stand.publisher.publish("orchestrator")


@pytest.fixture(params=["app", "orchestrator"])
def published(request: pytest.FixtureRequest) -> Published:
    image = request.getfixturevalue(request.param)
    assert isinstance(image, Published)
    return image


def test_an_index_has_two_platforms_and_a_manifest_of_attestations_for_each(published: Published) -> None:
    platforms = [one["platform"] for one in published.index["manifests"]]
    real = [{"architecture": name, "os": "linux"} for name in MACHINES]
    assert platforms == [*real, *[{"architecture": "unknown", "os": "unknown"}] * 2]


@pytest.mark.parametrize("architecture", MACHINES)
def test_of_each_platform_is_said_how_it_was_built_and_what_is_in_it(published: Published, architecture: str) -> None:
    statements = published.read_statements(architecture)
    assert statements.keys() == {PROVENANCE, SBOM}
    arguments = statements[PROVENANCE]["invocation"]["parameters"]["args"]
    assert arguments["build-arg:VERSION"] == VERSION
    packages = {(spell(one["name"]), one.get("versionInfo")) for one in statements[SBOM]["packages"]}
    locked = LOCKED.findall(LOCKS[published.target].read_text(encoding="utf-8"))
    assert len(locked) > 20
    assert set(locked) <= packages


@pytest.mark.parametrize("architecture", MACHINES)
def test_the_app_says_what_it_is_and_how_it_is_asked_whether_it_is_well(app: Published, architecture: str) -> None:
    config = app.read_config(architecture)["config"]
    assert config["User"] == "10001:10001"
    assert f"APP_VERSION={VERSION}" in config["Env"]
    check = config["Healthcheck"]
    assert (check["Interval"], check["Timeout"], check["StartPeriod"]) == (30 * SECOND, 10 * SECOND, 5 * SECOND)
    assert (
        config["Labels"]
        | {
            "org.opencontainers.image.source": "https://github.com/yourorg/remote-agent",
            "org.opencontainers.image.version": VERSION,
            "org.opencontainers.image.description": "Remote Claude Code sessions",
        }
        == config["Labels"]
    )


@pytest.mark.parametrize("architecture", MACHINES)
def test_the_app_serves(stand: Stand, app: Published, tmp_path: Path, architecture: str) -> None:
    with closing(stand.engine.connect()) as client:
        host = LedgerHost(
            client=client,
            folder=tmp_path / "project",
            project=f"{stand.bed.id}-{architecture}",
            repository=app.reference.removesuffix(f":{VERSION}"),
            tag=VERSION,
            postgres_image=stand.bed.bases.postgres,
        )
        with host:
            only = {"services": {"app": {"platform": f"linux/{architecture}"}}}
            (host.folder / "docker-compose.override.yml").write_text(json.dumps(only))
            host.up("db")
            host.migrate()
            host.compose("up", "--detach", "app")
            within(START_S).poll(lambda: ask(host, "/api/health"), every_s=0.2)
            entry = requests.post(f"{host.url}/api/entries", json={"body": "one"}, timeout=30)
            assert entry.status_code == requests.codes.created
            assert (ask(host, "/api/chain") or {})["head"] == entry.json()["hash"]
            machine = host.compose("exec", "--no-TTY", "app", "python", "-m", "platform")
            host.compose("exec", "--no-TTY", "app", "python", "-m", "ledger.healthcheck")
            assert MACHINES[architecture] in machine


@pytest.mark.parametrize("architecture", MACHINES)
def test_the_orchestrator_starts_with_all_that_it_calls(orchestrator: Published, architecture: str) -> None:
    start = ["docker", "run", "--rm", "--network=none", f"--platform=linux/{architecture}"]
    said = run_command([*start, orchestrator.reference, "--version"], timeout_s=START_S)
    assert said == f"orchestrator, version {RELEASED}\n"
    command = [*start, "--entrypoint=docker", orchestrator.reference, "compose", "version"]
    assert "Docker Compose version" in run_command(command, timeout_s=START_S)


def spell(name: str) -> str:
    """A package's name as the lock spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def ask(host: LedgerHost, path: str) -> dict[str, object] | None:
    """The app's answer; none while it does not answer well."""
    with suppress(requests.ConnectionError, requests.Timeout):
        answer = requests.get(host.url + path, timeout=30)
        return answer.json() if answer.ok else None
    return None
