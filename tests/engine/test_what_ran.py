"""Going back starts the image that ran, whatever its names lead to by now, and leaves `.env` byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.demo.bed import Bed, LedgerHost
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.images import EngineImages
from orchestrator.core.errors import PlatformError
from orchestrator.core.image_reference import Reference
from tests.engine.test_platform import platform_of, within

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

KEPT = "upgrade-orchestrator/kept:what-ran"
Mess = Callable[[LedgerHost, str], object]


@pytest.fixture(scope="module")
def installed() -> Iterator[tuple[Bed, LedgerHost, str]]:
    """A host that runs 1.0.0, its digest, and 1.1.0 beside it."""
    with Bed("ran") as bed:
        digest = bed.publish("1.0.0").digest
        bed.publish("1.1.0")
        for version in ("1.0.0", "1.1.0"):
            bed.client.images.pull(bed.repository, tag=f"v{version}")
        host = bed.host("1.0.0")
        host.install()
        yield bed, host, digest


@pytest.fixture
def host(installed: tuple[Bed, LedgerHost, str]) -> Iterator[LedgerHost]:
    """The host as it was, whatever the test before has done to its images."""
    bed, host, digest = installed
    yield host
    bed.client.images.pull(f"{bed.repository}@{digest}").tag(bed.repository, "v1.0.0")
    for name in list_names(host, "upgrade-orchestrator/"):
        bed.client.images.remove(name, force=True)
    bed.client.images.pull(bed.repository, tag="v1.1.0")
    host.pin("v1.0.0")


def list_names(host: LedgerHost, beginning: str) -> list[str]:
    listed = host.client.images.list(filters={"label": f"upgrade-orchestrator.bed={host.owner}"})
    return sorted(tag for image in listed for tag in image.tags if tag.startswith(beginning))


def leave_alone(host: LedgerHost, image_id: str) -> None:
    """Nothing happens."""


def move_tag(host: LedgerHost, image_id: str) -> None:
    host.client.images.get(f"{host.repository}:v1.1.0").tag(host.repository, "v1.0.0")


def remove_tag(host: LedgerHost, image_id: str) -> None:
    host.client.images.remove(f"{host.repository}:v1.0.0", force=True)


def build_anew(host: LedgerHost, image_id: str) -> None:
    """An operator who builds on this host: another image under the same name, which no registry has."""
    container = host.client.containers.create(image_id)
    container.commit(repository=host.repository, tag="v1.0.0")
    container.remove()


def edit_tag(host: LedgerHost, image_id: str) -> None:
    host.pin("v1.1.0")


def lose_container(host: LedgerHost, image_id: str) -> None:
    host.container("app").remove(force=True)
    remove_tag(host, image_id)


MESSES: tuple[Mess, ...] = (leave_alone, move_tag, remove_tag, build_anew, edit_tag, lose_container)
SHORT = {(remove_tag, "tag"), (lose_container, "digest"), (build_anew, "tag")}


@pytest.mark.parametrize(
    ("mess", "pinned"),
    [
        pytest.param(mess, pinned, marks=() if (mess, pinned) in SHORT else pytest.mark.soak)
        for mess in MESSES
        for pinned in ("tag", "digest")
    ],
)
def test_the_image_that_ran_is_started_whatever_its_names_lead_to(
    installed: tuple[Bed, LedgerHost, str], host: LedgerHost, tmp_path: Path, mess: Mess, pinned: str
) -> None:
    host.pin("v1.0.0" if pinned == "tag" else f"v1.0.0@{installed[2]}")
    host.compose("up", "--detach", "--no-deps", "app")
    platform, before = platform_of(host), (host.folder / ".env").read_bytes()
    (ran,) = platform.inspect_services(["app"])
    project = platform.freeze(tmp_path)
    EngineImages(DockerEngine.connect()).keep(ran.image_id, KEPT)
    platform.stop_services(["app"], deadline=within(30))
    mess(host, ran.image_id)
    platform.write_pin(project.pin_text)
    pin = Reference.parse(ran.image_reference).pin
    platform.start_services(project, ["app"], pin, images={"app": ran.image_id}, deadline=within(60))
    (now,) = platform.inspect_services(["app"])
    assert (now.image_id, now.running, now.restart_policy) == (ran.image_id, True, ran.restart_policy)
    assert Reference.parse(now.image_reference).named == Reference.parse(ran.image_reference).named
    assert (host.folder / ".env").read_bytes() == before
    assert mess is not build_anew or pinned == "digest" or list_names(host, "upgrade-orchestrator/displaced")


def test_an_image_that_is_gone_altogether_is_told_of(
    installed: tuple[Bed, LedgerHost, str], host: LedgerHost, tmp_path: Path
) -> None:
    platform = platform_of(host)
    project = platform.freeze(tmp_path)
    with pytest.raises(PlatformError, match="not on this host any more") as caught:
        platform.start_services(project, ["app"], "v0.9.9", images={"app": f"sha256:{'0' * 64}"}, deadline=within(30))
    assert caught.value.code == "image.missing"
