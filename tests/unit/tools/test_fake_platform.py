"""The in-memory platform keeps what its port promises."""

from pathlib import Path

import pytest

from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DeadlineExceededError, PlatformError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.model.images import Pin
from orchestrator.core.model.progress import Progress
from orchestrator.core.model.workloads import Gate
from orchestrator.core.ports.workloads import Workloads
from tests.tools.build import make_world
from tests.tools.images import FakeImages
from tests.tools.outside import FakeProbe
from tests.tools.workloads import FakeWorkloads
from tests.tools.world import FakeWorld


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return make_world(tmp_path)


@pytest.fixture
def platform(world: FakeWorld) -> Workloads:
    return FakeWorkloads(world)


@pytest.fixture
def frozen(platform: Workloads, tmp_path: Path) -> FrozenProject:
    return platform.freeze(tmp_path / "run")


def unheard(line: str) -> None:
    """Nobody listens to what a job says."""


def deadline(world: FakeWorld, seconds: float = 60.0) -> Deadline:
    return Deadline(world.clock, seconds)


def pinned(world: FakeWorld, version: str) -> Pin:
    return Pin(tag=version, digest=world.releases[version].digest)


def pull(world: FakeWorld, platform: Workloads, version: str) -> str:
    pin = pinned(world, version)
    FakeImages(world).pull(world.repository, pin, report=lambda _: None, deadline=deadline(world))
    return str(pin)


def test_the_project_is_frozen_into_a_private_file_that_must_not_change(
    world: FakeWorld, platform: Workloads, frozen: FrozenProject
) -> None:
    assert frozen.template.stat().st_mode & 0o777 == 0o600
    frozen.template.write_text("edited")
    with pytest.raises(PlatformError) as refused:
        platform.start_services(frozen, ["app"], "v1.0.0", deadline=deadline(world))
    assert refused.value.code == "compose.template_changed"


def test_stopped_services_have_no_restart_policy_and_get_it_back_with_the_start(
    world: FakeWorld, platform: Workloads, frozen: FrozenProject
) -> None:
    (before,) = platform.inspect_services(["app"])
    platform.stop_services(["app"], deadline=deadline(world))
    (stopped,) = platform.inspect_services(["app"])
    assert (stopped.state, stopped.restart_policy) == ("exited", "no")
    platform.start_services(frozen, ["app"], "v1.0.0", deadline=deadline(world))
    (started,) = platform.inspect_services(["app"])
    assert (started.state, started.health, started.restart_policy) == ("running", "starting", "unless-stopped")
    assert started.container_id == before.container_id


def test_a_start_never_pulls(world: FakeWorld, platform: Workloads, frozen: FrozenProject) -> None:
    with pytest.raises(PlatformError) as refused:
        pin = str(pinned(world, "v1.1.0"))
        platform.start_services(frozen, ["app"], pin, deadline=deadline(world))
    assert refused.value.code == "image.missing"


def test_a_new_pin_makes_a_new_container_of_the_pulled_image(
    world: FakeWorld, platform: Workloads, frozen: FrozenProject
) -> None:
    pin = pull(world, platform, "v1.1.0")
    platform.start_services(frozen, ["app"], pin, deadline=deadline(world))
    (status,) = platform.inspect_services(["app"])
    image = FakeImages(world).find(f"{world.repository}@{world.releases['v1.1.0'].digest}")
    assert image is not None
    assert (status.container_id, status.image_id) != ("app-0", world.releases["v1.0.0"].image_id)
    assert status.image_id == image.image_id


def test_behind_the_gate_only_the_private_address_answers_until_an_open_start_replaces_the_container(
    world: FakeWorld, platform: Workloads, frozen: FrozenProject
) -> None:
    public, probe, pin = "http://localhost:5100/health?deep=1", FakeProbe(world), pull(world, platform, "v1.1.0")
    world.databases[world.live].schema = 2
    platform.start_services(frozen, ["app"], pin, gate=Gate.CLOSED, deadline=deadline(world))
    world.clock.advance(5)
    private = platform.find_private_url(frozen, public, ["app"])
    assert private is not None
    assert private.endswith(":5100/health?deep=1")
    assert (probe.get(public, timeout_s=1).status, probe.get(private, timeout_s=1).status) == (None, 200)
    assert (world.serving(), world.users_write(1)) == (None, 0)
    (gated,) = platform.inspect_services(["app"])
    assert gated.restart_policy == "no"
    platform.start_services(frozen, ["app"], pin, deadline=deadline(world))
    world.clock.advance(5)
    (opened,) = platform.inspect_services(["app"])
    assert opened.container_id != gated.container_id
    assert probe.get(public, timeout_s=1).status == 200
    assert world.users_write(1) == 1


def test_a_private_address_needs_a_published_port_and_a_container_that_runs(
    world: FakeWorld, platform: Workloads, frozen: FrozenProject
) -> None:
    assert platform.find_private_url(frozen, "http://localhost:1/", ["app"]) is None
    assert platform.find_private_url(frozen, "https://localhost:5100/", ["app"]) is None
    platform.stop_services(["app"], deadline=deadline(world))
    with pytest.raises(PlatformError) as caught:
        platform.find_private_url(frozen, "http://localhost:5100/", ["app"])
    assert caught.value.code == "gate.no_address"


def test_a_download_takes_time_and_tells_how_far_it_is(world: FakeWorld, platform: Workloads) -> None:
    told: list[Progress] = []
    pin, images = pinned(world, "v1.1.0"), FakeImages(world)
    images.pull(world.repository, pin, report=told.append, deadline=deadline(world))
    assert world.clock.monotonic() == world.releases["v1.1.0"].pull_s
    assert [progress.done for progress in told] == [25_000_000, 50_000_000]
    with pytest.raises(DeadlineExceededError):
        images.pull(world.repository, pinned(world, "v1.2.0"), report=told.append, deadline=deadline(world, 1.0))
    assert images.find(f"{world.repository}:v1.2.0") is None


def test_a_kept_image_survives_pruning_until_its_name_is_forgotten(
    world: FakeWorld, platform: Workloads, frozen: FrozenProject
) -> None:
    old = world.releases["v1.0.0"].image_id
    FakeImages(world).keep(old, "kept:run-1")
    platform.start_services(frozen, ["app"], pull(world, platform, "v1.1.0"), deadline=deadline(world))
    FakeImages(world).forget(f"{world.repository}:v1.0.0")
    world.prune_images()
    assert FakeImages(world).find(old)
    FakeImages(world).forget("kept:run-1")
    FakeImages(world).forget("kept:run-1")
    assert FakeImages(world).find(old) is None


def test_a_job_outlives_whoever_waits_for_it(
    world: FakeWorld, platform: Workloads, frozen: FrozenProject, tmp_path: Path
) -> None:
    pin = pull(world, platform, "v1.1.0")
    platform.start_job(frozen, "job-1", ["app", "migrate"], pin, run_id="1", deadline=deadline(world))
    with pytest.raises(DeadlineExceededError):
        platform.wait_job("job-1", tell=unheard, deadline=deadline(world, 1.0))
    world.clock.advance(10.0)
    status = platform.inspect_job("job-1")
    assert status is not None
    assert (status.running, status.exit_code) == (False, 0)
    assert world.databases["ledger"].schema == 2
    assert platform.save_job_log("job-1", tmp_path / "job.log") == "migrating\ndone"
    platform.remove_job("job-1")
    assert platform.inspect_job("job-1") is None


def test_a_job_that_is_stopped_leaves_a_torn_database(
    world: FakeWorld, platform: Workloads, frozen: FrozenProject
) -> None:
    pin = pull(world, platform, "v1.1.0")
    platform.start_job(frozen, "job-1", ["app", "migrate"], pin, run_id="1", deadline=deadline(world))
    platform.stop_job("job-1")
    platform.stop_job("job-1")
    world.clock.advance(10.0)
    assert platform.wait_job("job-1", tell=unheard, deadline=deadline(world)).exit_code == 137
    assert world.databases["ledger"].torn
    assert world.serving() is None


def test_a_failing_migration_may_have_changed_the_database(
    world: FakeWorld, platform: Workloads, frozen: FrozenProject
) -> None:
    pin = pull(world, platform, "v1.2.0")
    platform.start_job(frozen, "job-1", ["app", "migrate"], pin, run_id="1", deadline=deadline(world))
    assert platform.wait_job("job-1", tell=unheard, deadline=deadline(world)).exit_code == 1
    assert world.databases["ledger"].tables["public.entries"] == []
    assert world.serving() is None


def test_a_job_needs_a_name_of_its_own(world: FakeWorld, platform: Workloads, frozen: FrozenProject) -> None:
    platform.start_job(frozen, "job-1", ["app", "migrate"], "v1.0.0", run_id="1", deadline=deadline(world))
    with pytest.raises(PlatformError) as refused:
        platform.start_job(frozen, "job-1", ["app", "migrate"], "v1.0.0", run_id="2", deadline=deadline(world))
    assert refused.value.code == "job.exists"


def test_a_reboot_brings_back_only_what_has_a_restart_policy(world: FakeWorld, platform: Workloads) -> None:
    world.reboot()
    assert platform.inspect_services(["app"])[0].running
    platform.stop_services(["app"], deadline=deadline(world))
    world.reboot()
    assert not platform.inspect_services(["app"])[0].running
