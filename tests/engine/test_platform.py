"""The Compose project on a real engine, with a real registry."""

import gc
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.bed import Bed, LedgerHost, Published
from orchestrator.adapters.compose.command import Compose
from orchestrator.adapters.compose.project import ComposeProject
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.images import EngineImages
from orchestrator.core.deadline import Deadline, Interruption
from orchestrator.core.errors import DeadlineExceededError, InterruptedByOperatorError, PlatformError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.model.images import Pin
from orchestrator.core.model.progress import Progress

pytestmark = pytest.mark.docker

NOWHERE = "unix:///nonexistent/docker.sock"
RUN = "r1"
IMAGES = EngineImages(DockerEngine.connect())


class WallTimer:
    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with Bed("platform") as bed:
        yield bed


@pytest.fixture(scope="module")
def releases(bed: Bed) -> dict[str, Published]:
    return {version: bed.publish(version) for version in ("1.0.0", "1.1.0")}


@pytest.fixture
def host(bed: Bed, releases: dict[str, Published]) -> LedgerHost:
    bed.client.images.pull(bed.repository, tag="v1.0.0")
    return bed.host("1.0.0")


@pytest.fixture
def platform(host: LedgerHost) -> ComposeProject:
    return platform_of(host)


@pytest.fixture
def project(platform: ComposeProject, tmp_path: Path) -> FrozenProject:
    return platform.freeze(tmp_path)


def platform_of(host: LedgerHost, *services: str, engine: str | None = None) -> ComposeProject:
    return ComposeProject(
        host.folder,
        services or ("app",),
        "APP_VERSION",
        DockerEngine.connect(engine),
        Compose(os.environ, engine),
    )


def unheard(line: str) -> None:
    """Nobody listens to what a job says."""


def within(seconds: float, interruption: Interruption | None = None) -> Deadline:
    return Deadline(WallTimer(), seconds, what="The test", interruption=interruption)


def pin_of(published: Published) -> Pin:
    return Pin(tag=published.tag, digest=published.digest)


def pull(bed: Bed, published: Published) -> list[Progress]:
    said: list[Progress] = []
    IMAGES.pull(bed.repository, pin_of(published), report=said.append, deadline=within(60))
    return said


def use_env_file(host: LedgerHost) -> None:
    compose = host.folder / "docker-compose.yml"
    text = compose.read_text()
    compose.write_text(text.replace("      TZ: ${TZ}\n", "      TZ: ${TZ}\n    env_file: [.env]\n"))


def test_the_engine_says_who_it_is(platform: ComposeProject) -> None:
    facts = platform.inspect_engine()
    assert facts.engine_id
    assert re.fullmatch(r"Docker \d\S+ on \w+, Compose \d\S+", facts.summary)
    assert facts.architecture in {"amd64", "arm64"}
    assert facts.free_bytes is None or facts.free_bytes > 0


# The SDK drops the sockets that could not connect without closing them; collected here, where that is known.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_an_engine_that_does_not_run_is_unreachable(host: LedgerHost) -> None:
    platform = platform_of(host, engine=NOWHERE)
    with pytest.raises(PlatformError) as caught:
        platform.inspect_engine()
    assert caught.value.code == "engine.unreachable"
    with pytest.raises(PlatformError) as caught:
        platform.inspect_services(["app"])
    assert caught.value.code == "engine.unreachable"
    del caught
    gc.collect()


def test_a_project_is_frozen_in_private_files(
    platform: ComposeProject, project: FrozenProject, host: LedgerHost
) -> None:
    assert (project.name, project.directory, project.pin_text) == (host.project, host.folder, "v1.0.0")
    copy = project.template.with_name("env")
    assert [path.stat().st_mode & 0o777 for path in (project.template, copy)] == [0o600, 0o600]
    assert copy.read_bytes() == (host.folder / ".env").read_bytes()
    image = json.loads(project.template.read_text())["services"]["app"]["image"]
    assert image == f"{host.repository}:v0.0.0-orchestrator-placeholder"


def test_an_unknown_service_is_refused(host: LedgerHost, tmp_path: Path) -> None:
    with pytest.raises(PlatformError) as caught:
        platform_of(host, "app", "worker").freeze(tmp_path)
    assert caught.value.code == "service.unknown"


def test_a_service_that_does_not_follow_the_variable_is_refused(host: LedgerHost, tmp_path: Path) -> None:
    with pytest.raises(PlatformError) as caught:
        platform_of(host, "db").freeze(tmp_path)
    assert caught.value.code == "env.variable_unused"


def test_a_folder_without_a_compose_file_is_refused(host: LedgerHost, tmp_path: Path) -> None:
    (host.folder / "docker-compose.yml").unlink()
    with pytest.raises(PlatformError) as caught:
        platform_of(host).freeze(tmp_path)
    assert caught.value.code == "compose.missing"


def test_a_broken_compose_file_is_refused(host: LedgerHost, tmp_path: Path) -> None:
    (host.folder / "docker-compose.yml").write_text("services: {app: {imag: x}}")
    with pytest.raises(PlatformError) as caught:
        platform_of(host).freeze(tmp_path)
    assert caught.value.code == "compose.invalid"


def test_writing_the_pin_changes_nothing_else_in_the_file(platform: ComposeProject, host: LedgerHost) -> None:
    before = (host.folder / ".env").read_bytes()
    platform.check_pin_writable()
    platform.write_pin("v1.1.0")
    assert platform.read_pin() == "v1.1.0"
    assert (host.folder / ".env").read_bytes() == before.replace(b"=v1.0.0", b"=v1.1.0")
    assert (host.folder / ".env").stat().st_mode & 0o777 == 0o600


def test_the_registry_gives_digest_and_platforms(bed: Bed, releases: dict[str, Published]) -> None:
    found = IMAGES.resolve(bed.repository, "v1.1.0")
    assert found.digest == releases["1.1.0"].digest
    assert found.platforms in {("linux/amd64",), ("linux/arm64",)}


def test_the_registry_has_no_such_tag(bed: Bed, releases: dict[str, Published]) -> None:
    with pytest.raises(PlatformError) as caught:
        IMAGES.resolve(bed.repository, "v9")
    assert caught.value.code == "image.not_found"


def test_a_pull_brings_the_digest_and_gives_it_the_tag(
    bed: Bed, platform: ComposeProject, releases: dict[str, Published]
) -> None:
    bed.registry.forget_images()
    pull(bed, releases["1.1.0"])
    by_digest = IMAGES.find(f"{bed.repository}@{releases['1.1.0'].digest}")
    by_pin = IMAGES.find(f"{bed.repository}:{pin_of(releases['1.1.0'])}")
    by_tag = IMAGES.find(f"{bed.repository}:v1.1.0")
    assert by_digest is not None
    assert by_digest.digests == (releases["1.1.0"].digest,)
    assert by_pin == by_tag == by_digest


def test_a_pull_of_an_unknown_digest_is_refused(bed: Bed, platform: ComposeProject) -> None:
    pin = Pin(tag="v9", digest="sha256:" + "0" * 64)
    with pytest.raises(PlatformError) as caught:
        IMAGES.pull(bed.repository, pin, report=lambda _: None, deadline=within(30))
    assert caught.value.code == "pull.not_found"
    assert IMAGES.find(f"{bed.repository}:v9") is None


def test_a_registry_that_is_down_fails_the_pull_and_the_look(
    bed: Bed, platform: ComposeProject, releases: dict[str, Published]
) -> None:
    bed.registry.stop()
    try:
        with pytest.raises(PlatformError) as caught:
            IMAGES.resolve(bed.repository, "v1.1.0")
        assert caught.value.code == "image.unreachable"
        with pytest.raises(PlatformError) as caught:
            pull(bed, releases["1.1.0"])
        assert caught.value.code == "pull.failed"
    finally:
        bed.registry.start()


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_pull_that_stalls_is_ended(platform: ComposeProject, interrupted: bool) -> None:
    interruption = Interruption()
    if interrupted:
        threading.Timer(0.5, interruption.request, [2]).start()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        repository = f"127.0.0.1:{silent.getsockname()[1]}/stalled"
        began = time.monotonic()
        with pytest.raises(InterruptedByOperatorError if interrupted else DeadlineExceededError):
            IMAGES.pull(
                repository,
                Pin(tag="v1", digest="sha256:" + "0" * 64),
                report=lambda _: None,
                deadline=within(60 if interrupted else 0.5, interruption),
            )
    assert time.monotonic() - began < 5


def test_a_kept_image_has_our_name_until_it_is_forgotten(platform: ComposeProject, host: LedgerHost, bed: Bed) -> None:
    image = IMAGES.find(f"{host.repository}:v1.0.0")
    assert image is not None
    name = f"{host.repository}/kept:{RUN}"
    IMAGES.keep(image.image_id, name)
    IMAGES.keep(image.image_id, name)
    assert IMAGES.find(name) is not None
    IMAGES.forget(name)
    IMAGES.forget(name)
    assert IMAGES.find(name) is None
    assert IMAGES.find(f"{host.repository}:v1.0.0") is not None


def test_services_are_stopped_for_good_and_come_back_with_their_policy(
    host: LedgerHost, platform: ComposeProject, project: FrozenProject
) -> None:
    host.install()
    (before,) = platform.inspect_services(["app"])
    assert (before.running, before.restart_policy, before.version_label) == (True, "unless-stopped", "1.0.0")
    platform.stop_services(["app"], deadline=within(60))
    platform.stop_services(["app"], deadline=within(60))
    (stopped,) = platform.inspect_services(["app"])
    assert (stopped.running, stopped.restart_policy) == (False, "no")
    platform.start_services(project, ["app"], "v1.0.0", deadline=within(60))
    (after,) = platform.inspect_services(["app"])
    assert (after.running, after.restart_policy) == (True, "unless-stopped")
    assert after.container_id == before.container_id
    assert platform.inspect_services(["db"])[0].running


@pytest.mark.parametrize("with_env_file", [False, True])
def test_the_operators_own_up_finds_nothing_to_do(
    bed: Bed, host: LedgerHost, releases: dict[str, Published], tmp_path: Path, with_env_file: bool
) -> None:
    if with_env_file:
        use_env_file(host)
    platform = platform_of(host)
    host.install()
    project = platform.freeze(tmp_path)
    pull(bed, releases["1.1.0"])
    pin = str(pin_of(releases["1.1.0"]))
    platform.stop_services(["app"], deadline=within(60))
    platform.write_pin(pin)
    platform.start_services(project, ["app"], pin, deadline=within(60))
    (ours,) = platform.inspect_services(["app"])
    assert (ours.version_label, ours.digests) == ("1.1.0", (releases["1.1.0"].digest,))
    host.compose("up", "--detach")
    (theirs,) = platform.inspect_services(["app"])
    assert theirs == ours.model_copy(update={"health": theirs.health})


def test_a_project_that_was_edited_meanwhile_starts_as_frozen(
    host: LedgerHost, platform: ComposeProject, project: FrozenProject
) -> None:
    host.install()
    (host.folder / "docker-compose.yml").write_text("services: {app: {imag: x}}")
    another = platform_of(host)
    another.stop_services(["app"], deadline=within(60))
    another.start_services(project, ["app"], "v1.0.0", deadline=within(60))
    (app,) = another.inspect_services(["app"])
    assert (app.running, app.restart_policy) == (True, "unless-stopped")


def test_an_edit_is_found_by_its_file_and_the_pin_is_none(
    platform: ComposeProject, host: LedgerHost, project: FrozenProject
) -> None:
    assert platform.find_edits(project) == ()
    platform.write_pin("v1.1.0")
    assert platform.find_edits(project) == ()
    compose = next(host.folder.glob("*compose.y*ml"))
    compose.write_text(compose.read_text() + "# edited\n")
    assert platform.find_edits(project) == (compose.name,)


def test_what_a_file_brings_in_that_nobody_knows_of_is_seen_in_the_rendering(
    platform: ComposeProject, host: LedgerHost, project: FrozenProject
) -> None:
    compose = next(host.folder.glob("*compose.y*ml"))
    compose.write_text(compose.read_text().replace("services:", "x-new: 1\nservices:"))
    unknown = project.model_copy(update={"files": {}})
    assert platform.find_edits(unknown) == ("what Compose reads of the project",)


def test_a_project_that_was_renamed_meanwhile_is_found_under_its_old_name(
    platform: ComposeProject, host: LedgerHost, project: FrozenProject
) -> None:
    host.install()
    compose = next(host.folder.glob("*compose.y*ml"))
    compose.write_text("name: renamed\n" + compose.read_text().replace(f"name: {project.name}\n", ""))
    another = platform_of(host)
    assert another.inspect_services(["app"]) == ()
    another.adopt(project)
    assert [found.service for found in another.inspect_services(["app"])] == ["app"]


def test_a_service_whose_image_is_missing_is_not_pulled(
    platform: ComposeProject, project: FrozenProject, bed: Bed
) -> None:
    with pytest.raises(PlatformError) as caught:
        platform.start_services(project, ["app"], "v9.9.9", deadline=within(60))
    assert caught.value.code == "compose.failed"


def start(platform: ComposeProject, project: FrozenProject, name: str, *command: str) -> None:
    platform.start_job(project, name, ("app", *command), "v1.0.0", run_id=RUN, deadline=within(60))


def test_a_job_is_judged_read_and_removed(
    host: LedgerHost, platform: ComposeProject, project: FrozenProject, tmp_path: Path, bed: Bed
) -> None:
    host.up("db")
    name = f"{host.project}-migrate"
    start(platform, project, name, "ledger", "migrate")
    assert platform.wait_job(name, tell=unheard, deadline=within(60)).exit_code == 0
    assert platform.save_job_log(name, tmp_path / "log")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    container = bed.client.containers.get(name)
    assert container.labels["upgrade-orchestrator.run"] == RUN
    assert container.attrs["HostConfig"]["RestartPolicy"]["Name"] == "no"
    assert not container.attrs["HostConfig"]["PortBindings"]
    assert platform.inspect_services(["app"]) == ()
    with pytest.raises(PlatformError) as caught:
        start(platform, project, name, "true")
    assert caught.value.code == "job.exists"
    platform.remove_job(name)
    platform.remove_job(name)
    assert platform.inspect_job(name) is None


def test_a_job_that_fails_keeps_its_exit_code_and_last_lines(
    host: LedgerHost, platform: ComposeProject, project: FrozenProject, tmp_path: Path
) -> None:
    host.up("db")
    name = f"{host.project}-fails"
    start(platform, project, name, "sh", "-c", "seq 1 60; sleep 0.2; echo wrong >&2; exit 7")
    assert platform.wait_job(name, tell=unheard, deadline=within(60)).exit_code == 7
    lines = platform.save_job_log(name, tmp_path / "log").splitlines()
    assert len(lines) == 50
    assert "wrong" in lines
    assert len((tmp_path / "log").read_text().splitlines()) == 61


def test_a_job_can_be_ended_and_read_afterwards(
    host: LedgerHost, platform: ComposeProject, project: FrozenProject, tmp_path: Path
) -> None:
    host.up("db")
    name = f"{host.project}-long"
    start(
        platform,
        project,
        name,
        "sh",
        "-c",
        "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done",
    )
    heard: list[str] = []
    with pytest.raises(DeadlineExceededError):
        platform.wait_job(name, tell=heard.append, deadline=within(3))
    assert set(heard) == {"up"}
    status = platform.inspect_job(name)
    assert status is not None
    assert status.running
    assert status.said == "up"
    platform.stop_job(name)
    platform.stop_job(name)
    assert platform.wait_job(name, tell=unheard, deadline=within(5)).exit_code == 3
    assert platform.save_job_log(name, tmp_path / "log") == "up\nbye"


def test_a_container_that_is_no_job_is_left_alone(host: LedgerHost, platform: ComposeProject) -> None:
    host.up("db")
    name = str(host.container("db").name)
    for touch in (platform.stop_job, platform.remove_job):
        with pytest.raises(PlatformError) as caught:
            touch(name)
        assert caught.value.code == "job.foreign"
    assert platform.inspect_services(["db"])[0].running


def test_a_job_whose_command_does_not_exist_is_not_started(
    host: LedgerHost, platform: ComposeProject, project: FrozenProject
) -> None:
    host.up("db")
    name = f"{host.project}-none"
    with pytest.raises(PlatformError) as caught:
        start(platform, project, name, "/no/such/command")
    assert caught.value.code == "compose.program_missing"
    status = platform.inspect_job(name)
    assert status is not None
    assert (status.running, status.exit_code) == (False, None)


def test_the_log_of_a_service_is_read_from_its_end(host: LedgerHost, platform: ComposeProject) -> None:
    host.up("db")
    (db,) = platform.inspect_services(["db"])
    assert len(platform.read_logs(db.container_id, lines=2).splitlines()) == 2
