"""Pins are compared whole with the running version, and going back starts the version that ran."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.core.model.verdict import Verdict
from orchestrator.core.model.workloads import ServiceStatus
from states.shared.checks.app import is_pinned_to
from tests.tools.bench import WITHOUT_REHEARSAL, Bench
from tests.tools.things import FakeImage, digest_of
from tests.tools.world import FakeWorld

A, B = digest_of("a"), digest_of("b")
HOST = "registry.example:5000/you/ledger"


@pytest.mark.parametrize(
    ("reference", "text", "same"),
    [
        (f"{HOST}:v1.0.0", "v1.0.0", True),
        (f"{HOST}:v1.0.0", "v1.0", False),
        (f"{HOST}:v1.0.0", "1.0.0", False),
        (f"{HOST}:v1.0.0", "v1.0.0-rc1", False),
        (f"{HOST}:v1.0.0-rc1", "v1.0.0", False),
        (f"{HOST}:v5000", "5000", False),
        (f"{HOST}", "5000", False),
        (f"{HOST}:latest", "latest", True),
        (f"{HOST}:v1.0.0@{A}", "v1.0.0", True),
        (f"{HOST}:v1.0.0@{A}", f"v1.0.0@{A}", True),
        (f"{HOST}:v1.0.0", f"v1.0.0@{A}", True),
        (f"{HOST}:v1.0.0", f"v1.0.0@{B}", False),
        (f"{HOST}:v1.0.0", "", False),
        (f"{HOST}:v1.0.0", "${TAG}", False),
        (A, "v1.0.0", False),
    ],
)
def test_a_version_variable_is_compared_whole_with_what_runs(reference: str, text: str, same: bool) -> None:
    status = ServiceStatus(
        service="app", container_id="1", image_id=A, image_reference=reference, digests=(A,), state="running"
    )
    assert is_pinned_to(status, text) is same


def test_a_part_of_the_version_that_runs_is_another_version(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.world.pin = "v1.0"
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.REFUSED
    assert "The version variable says v1.0, but app runs registry.example/ledger:v1.0.0." in report.run.reason


def move_tag(world: FakeWorld) -> None:
    theirs = FakeImage(digest_of("their config"), world.repository, digest_of("theirs"))
    for image in world.images:
        image.names.discard(f"{world.repository}:v1.0.0")
    theirs.names = {f"{world.repository}:v1.0.0"}
    world.images.append(theirs)


def remove_tag(world: FakeWorld) -> None:
    for image in world.images:
        image.names.discard(f"{world.repository}:v1.0.0")


def edit_tag(world: FakeWorld) -> None:
    world.pin = "v0.9.0"


@pytest.mark.parametrize("mess", [move_tag, remove_tag, edit_tag])
def test_a_rollback_starts_the_image_that_ran_and_leaves_the_variable_as_it_was(
    tmp_path: Path, mess: Callable[[FakeWorld], None]
) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    world = bench.world
    ran = world.containers["app"].image
    world.happen("workloads.remove_job", lambda: mess(world))
    assert bench.run("v1.2.0").run.verdict is Verdict.ROLLED_BACK
    assert (world.containers["app"].image, world.pin) == (ran, "v1.0.0")
    if mess is move_tag:
        assert any(name.startswith("upgrade-orchestrator/displaced:") for one in world.images for name in one.names)


def test_a_gate_is_opened_on_the_image_that_was_proven_whatever_became_of_its_names(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    world = bench.world

    def forget() -> None:
        new = world.releases["v1.1.0"]
        for image in world.images:
            if image.image_id == new.image_id:
                image.digest = digest_of("nothing that a registry knows")
                image.names.clear()

    world.happen("workloads.start_services", forget, when="after")
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.COMMITTED, report.run.reason
    assert world.containers["app"].image.release is world.releases["v1.1.0"]
