"""Which way back is taken, and the evidence for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import Facts
from orchestrator.core.model.stores import Changes
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.store_facts import RollbackDecision
from orchestrator.journal.journal import Journal
from orchestrator.plan.standard import STANDARD_INITIAL, build_standard_states
from states import restore
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version
from tests.tools.things import FakeDb


def way_back(bench: Bench, run_id: str) -> RollbackDecision | None:
    journal = Journal.open_existing(bench.plan.journal_directory)
    assert journal is not None
    facts = Facts()
    for record in journal.records(run_id):
        facts = facts.joined(Facts(record.payload.get("facts")))
    journal.close()
    return facts.find(RollbackDecision)


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


@pytest.mark.parametrize(
    ("writes", "log_problem", "restarted", "decision", "said"),
    [
        (
            False,
            "",
            False,
            "image_only",
            "Nothing was written to ledger since the app stopped: the log holds no change",
        ),
        (False, "it has grown by 99 MiB", False, "swap", "cannot be proven: it has grown by 99 MiB."),
        (False, "", True, "swap", "cannot be proven: the server was restarted since."),
        (True, "", False, "swap", "row changes were made in ledger since the app stopped."),
        (True, "it has grown by 99 MiB", True, "swap", "cannot be proven"),
    ],
)
def test_a_database_stays_only_where_it_is_proven_that_nothing_was_written(
    bench: Bench, writes: bool, log_problem: str, restarted: bool, decision: str, said: str
) -> None:
    world = bench.world

    def migrate(database: FakeDb) -> int:
        world.log_problem = log_problem
        world.server_began = "another beginning" if restarted else world.server_began
        if writes:
            database.tables["public.entries"].append("half of a migration")
        return 1

    world.releases["v1.2.0"].migrate = migrate
    report = bench.run("v1.2.0")
    way = way_back(bench, report.run.id)
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert way is not None
    assert way.decision == decision
    assert said in way.evidence
    assert bool(report.quarantine) is (decision == "swap")
    assert world.missing() == []


@pytest.mark.parametrize("writes", [True, False])
def test_what_changed_outside_of_the_database_is_named_and_not_called_untouched(bench: Bench, writes: bool) -> None:
    world = bench.world
    world.server["role clerk"] = "1"
    world.databases["gitlike"] = world.databases["ledger"].twin()

    def migrate(database: FakeDb) -> int:
        world.server["role clerk"] = "2"
        world.databases["gitlike"] = world.databases["gitlike"].twin()
        if writes:
            database.tables["public.entries"].append("half of a migration")
        return 1

    world.releases["v1.2.0"].migrate = migrate
    report = bench.run("v1.2.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert report.way_back is not None
    outside = "Changed outside of ledger since then, and not brought back: role clerk, database gitlike."
    assert report.way_back.endswith(outside)


def test_a_database_that_stayed_closed_is_migrated_though_the_log_cannot_be_read(bench: Bench) -> None:
    bench.world.log_problem = "it is not there any more"
    assert bench.run("v1.1.0").run.verdict is Verdict.COMMITTED


def test_a_database_that_was_opened_before_the_migration_is_not_migrated_where_the_log_cannot_be_read(
    bench: Bench,
) -> None:
    def open_and_close() -> None:
        bench.world.databases["ledger"].close(fenced=False)
        bench.world.databases["ledger"].close(fenced=True)
        bench.world.log_problem = "it is not there any more"

    bench.world.happen("database.copy", open_and_close, when="after")
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert "since it was copied cannot be proven: it is not there any more" in report.run.reason


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

    world.happen("workloads.start_services", turn_bad)
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
        "workloads.start_job", PlatformError("engine.unreachable", "The engine does not answer."), when="after"
    )
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK, report.stuck
    chain = bench.world.chain()
    assert chain.index("workloads.end_jobs") < chain.index("database.swap")
    assert not [job for job in bench.world.jobs.values() if job.running]
    assert bench.world.databases["ledger"].schema == 1
    assert bench.world.missing() == []


def test_leftover_migration_is_removed_on_the_way_back_when_the_engine_was_away_before(
    bench: Bench, tmp_path: Path
) -> None:
    gone = PlatformError("engine.unreachable", "The engine does not answer.")
    bench.world.fail("workloads.start_job", gone, when="after")
    bench.world.fail("workloads.stop_job", gone)
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK, report.stuck
    assert bench.world.jobs == {}
    assert [*tmp_path.rglob(f"{report.run.id}/migrate.log")]


def test_a_condemned_version_is_given_no_time_for_a_last_word(bench: Bench) -> None:
    moments: list[float] = []

    def note() -> None:
        moments.append(bench.world.clock.monotonic())

    bench.world.happen("workloads.stop_services", note, times=9)
    bench.world.happen("workloads.stop_services", note, times=9, when="after")
    assert bench.run("v1.3.0").run.verdict is Verdict.ROLLED_BACK
    took = [after - before for before, after in zip(moments[::2], moments[1::2], strict=True)]
    assert took[0] > 0, "the old version was not given its grace period"
    assert took[1:] == [0.0] * len(took[1:])
    assert len(took) > 1


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (None, "Changes were made"),
        (0, "Changes were made"),
        (1, "1 row change was made"),
        (2, "2 row changes were made"),
    ],
)
def test_what_was_written_is_counted_in_good_english(rows: int | None, words: str) -> None:
    told = restore.tell_written("ledger", Changes(finding="written", reason="the log", rows=rows))
    assert told == f"{words} in ledger since the app stopped."
