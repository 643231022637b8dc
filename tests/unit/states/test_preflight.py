"""Every precondition is tried before anything is touched; all that is wrong is told at once."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from orchestrator.core.errors import DatabaseError
from orchestrator.core.model.stores import Session, StoreLoad
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.model.workloads import ServiceStatus
from tests.tools.bench import Bench, serving_version
from tests.tools.workloads import FakeWorkloads
from tests.tools.world import FakeWorld


def no_room_beside_the_database(world: FakeWorld) -> None:
    world.database_free_bytes = 1000


def no_room_for_backups(world: FakeWorld) -> None:
    world.backup_free_bytes = 1000


def no_room_for_images(world: FakeWorld) -> None:
    world.engine_free_bytes = 1000


def backup_folder_is_read_only(world: FakeWorld) -> None:
    world.backup_problem = "Read-only file system"


def pin_cannot_be_written(world: FakeWorld) -> None:
    world.pin_writable = False


def pin_says_another_version(world: FakeWorld) -> None:
    world.pin = "v0.9.0"


def image_is_for_other_machines(world: FakeWorld) -> None:
    world.releases["v1.1.0"].platforms = ("linux/riscv64",)


def database_is_down(world: FakeWorld) -> None:
    world.fail("database.inspect", DatabaseError("database.unreachable", "The database db does not answer."), times=9)


def a_transaction_is_prepared(world: FakeWorld) -> None:
    world.database_load = StoreLoad(prepared=("transfer-7",), free_connections=90)


def a_subscriber_reads_from_the_database(world: FakeWorld) -> None:
    world.database_load = StoreLoad(slots=("warehouse",), free_connections=90)


def the_database_reads_from_another_server(world: FakeWorld) -> None:
    world.database_load = StoreLoad(subscriptions=("news",), free_connections=90)


def somebody_forgot_a_transaction(world: FakeWorld) -> None:
    analyst = Session(pid=7, user="analyst", application="psql")
    world.database_load = StoreLoad(oldest=analyst, oldest_s=7200, free_connections=90)


def somebody_shares_the_volume(world: FakeWorld) -> None:
    world.database_load = StoreLoad(sharers=("old-db-1 (project old)",), free_connections=90)


def the_volume_has_no_name(world: FakeWorld) -> None:
    world.database_load = StoreLoad(anonymous="0123456789abcdef", free_connections=90)


def all_connections_are_taken(world: FakeWorld) -> None:
    world.database_load = StoreLoad(free_connections=2)


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (no_room_beside_the_database, "not enough room for the database server"),
        (no_room_for_backups, "not enough room for the backup folder"),
        (no_room_for_images, "not enough room for the engine's image store"),
        (backup_folder_is_read_only, "Read-only file system"),
        (pin_cannot_be_written, ""),
        (pin_says_another_version, "The version variable says v0.9.0"),
        (image_is_for_other_machines, "no image for linux/amd64"),
        (database_is_down, "does not answer"),
        (a_transaction_is_prepared, "transfer-7"),
        (a_subscriber_reads_from_the_database, "warehouse"),
        (the_database_reads_from_another_server, "news"),
        (somebody_forgot_a_transaction, "analyst (psql 7) has had a transaction open in ledger for 120 min"),
        (all_connections_are_taken, "2 connections left"),
        (somebody_shares_the_volume, "old-db-1 (project old)"),
        (the_volume_has_no_name, "a volume without a name (0123456789ab…)"),
    ],
)
def test_each_missing_precondition_is_refused(tmp_path: Path, break_it: Callable[[FakeWorld], None], told: str) -> None:
    bench = Bench(tmp_path)
    break_it(bench.world)
    report = bench.run()
    assert report.run.verdict is Verdict.REFUSED
    assert bench.path() == ["check", "preflight"]
    assert told in report.run.reason
    assert bench.world.chain() == ["workloads.freeze"]


STEP = """\
initial: check
states:
  check:     {{kind: check, then: {{newer: preflight, current: same, failed: no}}}}
  preflight: {{kind: preflight, then: {{done: tidy, failed: no}}}}
  tidy:      {{kind: command, then: {{done: no, failed: no}}, with: {with_}}}
  same: {{end: up_to_date}}
  no: {{end: refused}}
"""


@pytest.mark.parametrize(
    ("migrate", "machine", "told"),
    [
        ("migrate: [ledgers, migrate]", "", "`target: migrate` names the service ledgers"),
        ("migrate: [app, migrate]\n  disconnect: [metrics]", "", "`target: disconnect` names the service metrics"),
        ("", STEP.format(with_="{run: [./tidy], changes: nothing}"), "`states: tidy: with: run` could not start"),
        ("", STEP.format(with_="{run: [tidy], on: tools, changes: nothing}"), "names the service tools"),
    ],
)
def test_what_the_plan_names_and_is_not_there_is_refused_before_the_stop(
    tmp_path: Path, migrate: str, machine: str, told: str
) -> None:
    bench = Bench(tmp_path, machine, migrate=migrate)
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.REFUSED
    assert told in report.run.reason
    assert serving_version(bench.world) == "v1.0.0"


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    backup_folder_is_read_only(bench.world)
    image_is_for_other_machines(bench.world)
    reason = bench.run().run.reason
    assert "2 preconditions are not met" in reason
    assert "(1)" in reason
    assert "(2)" in reason


def test_a_version_that_has_come_to_health_since_it_was_checked_is_not_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.world.releases["v1.0.0"].healthy_after_s = None
    bench.world.happen("images.resolve", lambda: setattr(bench.world.releases["v1.0.0"], "healthy_after_s", 1.0))
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.COMMITTED, report.run.reason
    assert "what runs now is not healthy" in report.states[0].reason


def test_what_compose_left_of_a_recreation_that_was_cut_off_is_no_illness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    inspect = FakeWorkloads.inspect_services

    def inspect_with_leftover(platform: FakeWorkloads, services: Sequence[str]) -> tuple[ServiceStatus, ...]:
        found = inspect(platform, services)
        return (*found, *(status.model_copy(update={"state": "created"}) for status in found))

    monkeypatch.setattr(FakeWorkloads, "inspect_services", inspect_with_leftover)
    bench.run("v1.1.0")
    assert "confirm" in bench.path()


def test_a_service_that_has_gone_down_since_it_was_checked_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.world.happen("images.resolve", lambda: setattr(bench.world.containers["app"], "state", "exited"))
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.REFUSED
    assert "is not healthy" in report.run.reason
