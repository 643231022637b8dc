"""History of earlier runs: releases that failed here, databases in quarantine."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.errors import UsageError
from orchestrator.core.model.verdict import Verdict
from tests.tools.bench import WITHOUT_REHEARSAL, Bench
from tests.tools.things import digest_of

SHIPPED = (Path(__file__).parents[3] / "plans" / "plain.yaml").read_text(encoding="utf-8")
PLAIN = SHIPPED[SHIPPED.index("\ninitial:") :]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, WITHOUT_REHEARSAL)


@pytest.mark.parametrize("machine", [WITHOUT_REHEARSAL, PLAIN], ids=["standard", "without check"])
def test_an_image_that_had_to_be_left_is_not_tried_again_by_itself(tmp_path: Path, machine: str) -> None:
    bench = Bench(tmp_path, machine)
    first = bench.run("v1.2.0")
    assert first.run.verdict is Verdict.ROLLED_BACK
    calls = len(bench.world.calls)
    again = bench.run("v1.2.0")
    assert again.run.verdict is Verdict.REFUSED
    assert first.run.id in again.run.reason
    assert "--retry" in again.run.reason
    assert {call.method for call in bench.world.calls[calls:]} == {"workloads.freeze"}
    assert bench.run("v1.2.0", retry=True).run.verdict is Verdict.ROLLED_BACK


def test_a_new_build_of_the_release_is_offered_as_any_other(bench: Bench) -> None:
    assert bench.run("v1.2.0").run.verdict is Verdict.ROLLED_BACK
    mended = bench.world.releases["v1.2.0"]
    mended.digest = digest_of("mended")
    mended.migrate = bench.world.releases["v1.3.0"].migrate
    assert bench.run("v1.2.0").run.verdict is Verdict.COMMITTED


def test_a_run_that_was_refused_says_nothing_about_the_release(bench: Bench) -> None:
    bench.world.pin_writable = False
    assert bench.run("v1.1.0").run.verdict is Verdict.REFUSED
    bench.world.pin_writable = True
    assert bench.run("v1.1.0").run.verdict is Verdict.COMMITTED


def test_a_quarantine_is_listed_until_its_operator_drops_it(bench: Bench) -> None:
    run = bench.run("v1.2.0").run.id
    (kept,) = bench.service.records.quarantines()
    assert (kept.run_id, kept.size_bytes) == (run, bench.world.databases[kept.database].size_bytes)
    bench.service.records.drop_quarantine(run)
    assert kept.database not in bench.world.databases
    assert bench.service.records.quarantines() == ()
    with pytest.raises(UsageError, match="no database in quarantine"):
        bench.service.records.drop_quarantine(run)


def test_a_quarantine_is_listed_without_its_size_while_the_server_is_down(bench: Bench) -> None:
    bench.run("v1.2.0")
    bench.world.database_up = False
    assert [kept.size_bytes for kept in bench.service.records.quarantines()] == [None]


def test_a_quarantine_is_dropped_when_its_time_is_over_and_not_before(bench: Bench) -> None:
    bench.run("v1.2.0")
    (kept,) = bench.service.records.quarantines()
    bench.world.clock.advance(29 * 86_400)
    assert bench.run("v1.1.0").run.verdict is Verdict.COMMITTED
    assert kept.database in bench.world.databases
    bench.world.clock.advance(2 * 86_400)
    bench.world.releases["v1.4.0"].reports = "1.4.0"
    assert bench.run("v1.4.0").run.verdict is Verdict.COMMITTED
    assert kept.database not in bench.world.databases
    assert bench.service.records.quarantines() == ()


def test_a_run_without_a_quarantine_has_nothing_to_drop(bench: Bench) -> None:
    run = bench.run("v1.1.0").run.id
    before = dict(bench.world.databases)
    with pytest.raises(UsageError, match="no database in quarantine"):
        bench.service.records.drop_quarantine(run)
    assert bench.world.databases == before
