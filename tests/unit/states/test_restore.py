"""Which way back is taken, and the evidence for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.facts import Facts, WayBack
from orchestrator.journal import Journal
from orchestrator.model import Verdict
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
