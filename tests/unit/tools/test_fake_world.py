"""The in-memory world as its users, its operator and its tests see it."""

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.core.deadline import Deadline
from orchestrator.core.earlier_runs import EndedRun
from orchestrator.core.errors import DatabaseError, PlatformError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.ports.history import History
from tests.tools.build import announce_up_to, make_world
from tests.tools.clock import FakeClock
from tests.tools.database import FakeDatabase
from tests.tools.images import FakeImages
from tests.tools.outside import FakeFeed, FakeHistory, FakeProbe
from tests.tools.script import Call
from tests.tools.workloads import FakeWorkloads
from tests.tools.world import FakeWorld


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return make_world(tmp_path)


def deploy(world: FakeWorld, version: str, directory: Path) -> FrozenProject:
    platform, deadline = FakeWorkloads(world), Deadline(world.clock, 60)
    frozen = platform.freeze(directory)
    release = world.releases[version]
    world.databases[world.live].schema = release.schema
    world.add_image(release)
    platform.start_services(frozen, ["app"], f"{version}@{release.digest}", deadline=deadline)
    return frozen


def test_things_planned_for_a_moment_happen_in_order_while_somebody_waits() -> None:
    clock, seen, wish = FakeClock(), list[float](), threading.Event()
    clock.at(5.0, lambda: seen.append(clock.monotonic()))
    clock.at(2.0, lambda: seen.append(clock.monotonic()))
    clock.at(8.0, wish.set)
    assert not clock.wait(wish, 6.0)
    assert clock.wait(wish, 60.0)
    assert seen == [2.0, 5.0]
    assert clock.monotonic() == 8.0


def test_a_starting_app_refuses_then_is_unready_then_serves(world: FakeWorld, tmp_path: Path) -> None:
    deploy(world, "v1.1.0", tmp_path / "run")
    probe, statuses = FakeProbe(world), []
    for _ in range(3):
        statuses.append(probe.get("http://app/health", timeout_s=1).status)
        world.clock.advance(0.6)
    assert statuses == [None, 503, 200]
    assert json.loads(probe.get("http://app/version", timeout_s=1).body)["version"] == "1.1.0"


@pytest.mark.parametrize(("version", "status", "says"), [("v1.3.0", 503, "1.3.0"), ("v1.4.0", 200, "1.3.9")])
def test_bad_releases_show_themselves(world: FakeWorld, tmp_path: Path, version: str, status: int, says: str) -> None:
    deploy(world, version, tmp_path / "run")
    world.clock.advance(60.0)
    answer = FakeProbe(world).get("http://app/version", timeout_s=1)
    assert (answer.status, json.loads(answer.body)["version"]) == (status, says)


def test_a_crash_loop_shows_in_the_restart_count(world: FakeWorld, tmp_path: Path) -> None:
    world.releases["v1.1.0"].crash_loop = True
    deploy(world, "v1.1.0", tmp_path / "run")
    world.clock.advance(5.0)
    (status,) = FakeWorkloads(world).inspect_services(["app"])
    assert (status.state, status.restart_count) == ("restarting", 5)
    assert FakeProbe(world).get("http://app/", timeout_s=1).status is None


def test_only_a_serving_app_acknowledges_writes_and_lost_ones_are_known(world: FakeWorld) -> None:
    platform, database = FakeWorkloads(world), FakeDatabase(world)
    deadline = Deadline(world.clock, 60)
    assert world.users_write(3) == 3
    platform.stop_services(["app"], deadline=deadline)
    assert world.users_write(3) == 0
    database.copy("ledger", "aside", deadline=deadline)
    world.databases["ledger"].tables["public.entries"].clear()
    assert (len(world.missing()), world.lost()) == (3, [])
    database.drop("aside")
    assert world.lost() == ["entry 0", "entry 1", "entry 2"]


def test_a_version_does_not_serve_on_another_versions_schema(world: FakeWorld) -> None:
    assert world.serving() is world.releases["v1.0.0"]
    world.databases["ledger"].schema = 2
    assert world.serving() is None


def test_a_planned_error_is_raised_once_and_the_attempt_is_traced(world: FakeWorld) -> None:
    platform, error = FakeWorkloads(world), PlatformError("env.not_writable", "The disk is full.")
    world.fail("workloads.write_pin", error)
    with pytest.raises(PlatformError) as raised:
        platform.write_pin("v1.1.0")
    assert raised.value is error
    assert world.pin == "v1.0.0"
    platform.write_pin("v1.1.0")
    assert world.calls == [Call("workloads.write_pin", ("v1.1.0",))] * 2


def test_a_lost_answer_leaves_the_work_done(world: FakeWorld) -> None:
    FakeWorkloads(world).stop_services(["app"], deadline=Deadline(world.clock, 60))
    world.fail("database.copy", DatabaseError("database.unreachable", "Cut off."), when="after")
    with pytest.raises(DatabaseError):
        FakeDatabase(world).copy("ledger", "aside", deadline=Deadline(world.clock, 60))
    assert "aside" in world.databases


def test_looking_is_not_traced(world: FakeWorld) -> None:
    platform, database = FakeWorkloads(world), FakeDatabase(world)
    platform.inspect_services(["app"])
    platform.read_pin()
    database.sizes()
    FakeProbe(world).get("http://app/", timeout_s=1)
    assert world.calls == []


def test_something_can_happen_just_before_a_call(world: FakeWorld) -> None:
    world.happen("workloads.stop_services", lambda: world.users_write(2))
    FakeWorkloads(world).stop_services(["app"], deadline=Deadline(world.clock, 60))
    assert len(world.acknowledged) == 2


def test_the_feed_announces_and_the_registry_resolves(world: FakeWorld) -> None:
    announce_up_to(world, "v1.1.0")
    assert [release.version for release in FakeFeed(world).list_releases()] == ["v1.0.0", "v1.1.0"]
    images = FakeImages(world)
    assert images.resolve(world.repository, "v1.1.0").digest == world.releases["v1.1.0"].digest
    with pytest.raises(PlatformError) as unknown:
        images.resolve(world.repository, "v9")
    assert unknown.value.code == "image.not_found"


def test_without_a_network_neither_feed_nor_registry_answer(world: FakeWorld) -> None:
    world.online = False
    with pytest.raises(PlatformError):
        FakeImages(world).resolve(world.repository, "v1.1.0")


def test_history_is_what_the_test_put_there() -> None:
    run = EndedRun(run_id="run-1", ended_at=datetime(2026, 1, 5, tzinfo=UTC), verdict=Verdict.COMMITTED)
    history: History = FakeHistory(ended=[run])
    assert history.receipts() == ()
    assert history.ended_runs() == (run,)
