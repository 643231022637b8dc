"""Which way back is taken, and the evidence for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.errors import PlatformError
from orchestrator.facts import Facts, WayBack
from orchestrator.journal import Journal
from orchestrator.model import Verdict
from orchestrator.plan.standard import STANDARD_INITIAL, build_standard_states
from tests.fakes.bench import WITHOUT_REHEARSAL, Bench, serving_version


def way_back(bench: Bench, run_id: str) -> WayBack | None:
    journal = Journal.open_existing(bench.plan.journal_directory)
    assert journal is not None
    facts = Facts()
    for record in journal.records(run_id):
        facts = facts.joined(Facts(record.payload.get("facts")))
    journal.close()
    return facts.find(WayBack)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, WITHOUT_REHEARSAL)


def test_a_migration_that_wrote_nothing_costs_no_swap(bench: Bench) -> None:
    bench.world.releases["v1.2.0"].migrate = lambda _: 1
    report = bench.run("v1.2.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert report.quarantine == ()
    assert "database.swap" not in bench.world.chain()
    way = way_back(bench, report.run.id)
    assert way is not None
    assert way.decision == "image_only"
    assert report.way_back == way.evidence
    assert serving_version(bench.world) == "v1.0.0"


def test_a_migration_that_wrote_is_swapped_away_and_kept(bench: Bench) -> None:
    report = bench.run("v1.2.0")
    way = way_back(bench, report.run.id)
    assert way is not None
    assert way.decision == "swap"
    assert len(report.quarantine) == 1
    assert not bench.world.databases[report.quarantine[0]].fenced, "its owner can look into it"


@pytest.mark.parametrize(
    ("gate", "keep_writes", "lives", "decision"),
    [
        ("open", True, True, "keep_data"),
        ("open", True, False, "swap"),
        ("open", False, True, "swap"),
        ("closed", True, True, "swap"),
    ],
)
def test_what_users_wrote_stays_only_where_plan_rehearsal_and_gate_say_so(
    tmp_path: Path, gate: str, keep_writes: bool, lives: bool, decision: str
) -> None:
    options = json.dumps({"keep_writes": keep_writes})
    machine = json.dumps(build_standard_states()).replace('"gate": "closed"', f'"gate": "{gate}"')
    machine = machine.replace('"kind": "restore"', f'"kind": "restore", "with": {options}')
    bench = Bench(tmp_path, f"initial: {STANDARD_INITIAL}\nstates: {machine}\n")
    world, released = bench.world, bench.world.releases["v1.1.0"]
    world.releases["v1.0.0"].also_lives_on = {2} if lives else set()

    def turn_bad() -> None:
        released.reports = "9.9.9"
        world.clock.after(1.5, lambda: world.users_write(3))

    world.happen("platform.start_services", turn_bad)
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK, report.run.reason
    way = way_back(bench, report.run.id)
    assert way is not None
    assert way.decision == decision
    assert serving_version(bench.world) == "v1.0.0"
    assert bench.world.lost() == []
    assert bool(bench.world.missing()) is (gate == "open" and decision == "swap")


def test_a_migration_that_began_though_its_start_has_failed_is_ended_before_the_data_come_back(bench: Bench) -> None:
    bench.world.fail(
        "platform.start_job", PlatformError("engine.unreachable", "The engine does not answer."), when="after"
    )
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK, report.stuck
    chain = bench.world.chain()
    assert chain.index("platform.end_jobs") < chain.index("database.swap")
    assert not [job for job in bench.world.jobs.values() if job.running]
    assert bench.world.databases["ledger"].schema == 1
    assert bench.world.missing() == []


def test_a_migration_that_could_not_be_put_away_as_the_engine_was_gone_is_so_on_the_way_back(
    bench: Bench, tmp_path: Path
) -> None:
    gone = PlatformError("engine.unreachable", "The engine does not answer.")
    bench.world.fail("platform.start_job", gone, when="after")
    bench.world.fail("platform.stop_job", gone)
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK, report.stuck
    assert bench.world.jobs == {}
    assert [*tmp_path.rglob(f"{report.run.id}/migrate.log")]
