"""Nobody writes between the stop and the migration, and the copy that a way back needs is there and right."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from orchestrator.core.errors import DatabaseError
from orchestrator.core.facts import StoppedServices
from orchestrator.core.model.stores import Session, StoreLoad
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.model.workloads import ProbeAnswer
from orchestrator.journal.journal import Journal
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version
from tests.tools.outside import FakeProbe

STRANGER = Session(pid=77, user="analyst", application="psql", address="10.1.1.1", active=True)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, WITHOUT_REHEARSAL)


def live_fences(bench: Bench) -> list[str]:
    return [call.method.removeprefix("database.") for call in bench.world.calls if "fence" in call.method]


def test_the_database_is_closed_before_it_is_copied_and_open_when_a_version_serves(bench: Bench) -> None:
    seen: list[bool] = []
    bench.world.happen("database.copy", lambda: seen.append(bench.world.databases["ledger"].fenced))
    assert bench.run("v1.1.0").run.verdict is Verdict.COMMITTED
    assert seen == [True]
    assert live_fences(bench) == ["fence", "unfence", "fence", "unfence"]
    assert not bench.world.databases["ledger"].fenced


def test_the_copy_that_lies_there_is_closed(bench: Bench) -> None:
    report = bench.run("v1.1.0")
    assert report.snapshot is not None
    assert bench.world.databases[report.snapshot].fenced


def test_a_stranger_who_stays_is_named_and_nothing_is_changed(bench: Bench) -> None:
    bench.world.happen(
        "workloads.stop_services", lambda: bench.world.databases["ledger"].sessions.append(STRANGER), when="after"
    )
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert "analyst (psql 77)" in report.run.reason
    assert "target: disconnect:" in report.run.reason
    assert serving_version(bench.world) == "v1.0.0"
    assert bench.world.databases["ledger"].sessions == [STRANGER]
    assert not any("snapshot" in name for name in bench.world.databases)


def test_sessions_that_the_stopped_app_left_behind_are_ended(bench: Bench) -> None:
    address = bench.service.ports.workloads.inspect_services(("app",))[0].addresses[0]
    left = Session(pid=78, user="app", application="worker", address=address, active=True)
    bench.world.happen(
        "workloads.stop_services", lambda: bench.world.databases["ledger"].sessions.append(left), when="after"
    )
    assert bench.run("v1.1.0").run.verdict is Verdict.COMMITTED


def test_a_prepared_transaction_is_named_and_the_old_version_comes_back(bench: Bench) -> None:
    def prepare() -> None:
        bench.world.database_load = StoreLoad(prepared=("transfer-7",), free_connections=90)

    bench.world.happen("workloads.stop_services", prepare)
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert "transfer-7" in report.run.reason
    assert serving_version(bench.world) == "v1.0.0"


@pytest.mark.parametrize("told", ["before", "by the server"])
def test_without_room_for_a_copy_a_proven_dump_takes_its_place(bench: Bench, told: str) -> None:
    def fill_the_disk() -> None:
        bench.world.database_free_bytes = 1

    if told == "before":
        bench.world.happen("backups.prove", fill_the_disk)
    else:
        bench.world.fail("database.copy", DatabaseError("database.no_space", "No space left on device."))
    bench.world.happen("workloads.start_job", lambda: setattr(bench.world, "database_free_bytes", 10**10))
    bench.world.happen("backups.write", lambda: bench.world.users_write(3), when="after")
    report = bench.run("v1.2.0")
    assert report.run.verdict is Verdict.ROLLED_BACK, report.run.reason
    assert serving_version(bench.world) == "v1.0.0"
    assert bench.world.acknowledged
    assert bench.world.missing() == []
    assert bench.world.script.chain().count("database.copy") == (0 if told == "before" else 1)


def test_a_copy_that_differs_is_no_snapshot(bench: Bench) -> None:
    def damage() -> None:
        for name, database in bench.world.databases.items():
            if "snapshot" in name:
                database.tables.pop("public.settings")

    bench.world.happen("database.copy", damage, when="after")
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert "catalog differ" in report.run.reason
    assert not any("snapshot" in name for name in bench.world.databases)
    assert serving_version(bench.world) == "v1.0.0"


def test_a_write_after_the_snapshot_keeps_the_migration_from_starting(bench: Bench) -> None:
    def write() -> None:
        bench.world.databases["ledger"].tables["public.entries"].append("somebody's")

    bench.world.happen("database.copy", write, when="after")
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert "Somebody wrote to ledger" in report.run.reason
    assert "workloads.start_job" not in bench.world.chain()
    assert serving_version(bench.world) == "v1.0.0"
    assert len(report.quarantine) == 1
    assert "somebody's" in bench.world.databases[report.quarantine[0]].tables["public.entries"]


def test_an_app_that_migrates_as_it_starts_does_not_start_on_a_database_that_was_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL, migrate="")
    bench.world.releases["v1.1.0"].migrates_on_start = True

    def write() -> None:
        bench.world.databases["ledger"].tables["public.entries"].append("somebody's")

    bench.world.happen("database.copy", write, when="after")
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert "Somebody wrote to ledger" in report.run.reason
    assert serving_version(bench.world) == "v1.0.0"


@pytest.mark.parametrize(("answers", "moment"), [(True, "after"), (False, "before")])
def test_the_app_is_away_from_its_last_answer_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, answers: bool, moment: str
) -> None:
    moments: dict[str, datetime] = {}
    get = FakeProbe.get

    def ask(probe: FakeProbe, url: str, *, timeout_s: float, asked: str | None = None) -> ProbeAnswer:
        silent = not answers and "before" in moments and "after" not in moments
        return ProbeAnswer(status=None, error="silent") if silent else get(probe, url, timeout_s=timeout_s, asked=asked)

    def note(which: str) -> None:
        moments.setdefault(which, bench.world.clock.now())

    monkeypatch.setattr(FakeProbe, "get", ask)
    bench.world.happen("workloads.stop_services", lambda: note("before"))
    bench.world.happen("workloads.stop_services", lambda: note("after"), when="after")
    report = bench.run("v1.1.0")
    journal = Journal.open_existing(bench.plan.journal_directory)
    assert journal is not None
    stopped = journal.facts(report.run.id).find(StoppedServices)
    assert stopped is not None
    assert stopped.at == moments[moment]
    assert moments["before"] < moments["after"]
