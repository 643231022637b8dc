"""Two stores of different makes go forward and back as one unit, whatever fails and whenever the run is killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.core.errors import DatabaseError
from orchestrator.core.model.verdict import Verdict
from orchestrator.reports.report import RunReport
from tests.faults.stores.scene import Pair
from tests.tools.backups import FakeBackupStore
from tests.tools.script import Killed, When
from tests.tools.things import migrate_to

STORIES = ("v1.1.0", "v1.2.0", "v1.3.0")  # good; its migration fails half-way; it is never well
LOST = DatabaseError("database.failed", "The store has failed.")

both_orders = pytest.mark.parametrize("cache_first", [False, True], ids=["database-first", "cache-first"])


def die() -> None:
    raise Killed


def count_effects(pair: Pair, command: Callable[[], RunReport]) -> int:
    before = len(pair.world.calls)
    command()
    return len(pair.world.calls) - before


def find_split(pair: Pair, report: RunReport) -> list[str]:
    return pair.find_split(report, pair.expect("v1.1.0", 2))


@both_orders
@pytest.mark.parametrize("version", STORIES)
def test_both_stores_end_on_one_side(tmp_path: Path, version: str, cache_first: bool) -> None:
    pair = Pair(tmp_path, cache_first)
    report = pair.upgrade(version)
    assert report.run.verdict is (Verdict.COMMITTED if version == "v1.1.0" else Verdict.ROLLED_BACK)
    assert find_split(pair, report) == []
    assert len(report.quarantine) == (0 if version == "v1.1.0" else 2)


@both_orders
def test_both_stores_are_backed_up_and_rehearsed(tmp_path: Path, cache_first: bool) -> None:
    pair = Pair(tmp_path, cache_first, machine="")
    report = pair.upgrade("v1.1.0")
    assert report.run.verdict is Verdict.COMMITTED, report.run.reason
    assert find_split(pair, report) == []
    chain = pair.world.chain()
    assert {"stage.database.restore", "stage.cache.load_beside"} <= {*chain[: chain.index("workloads.stop_services")]}
    assert {path.name.partition("_v1.0.0")[2] for path in pair.world.files} >= {pair.cache.file_suffix}


@both_orders
def test_a_release_that_fails_on_copies_of_both_costs_neither(tmp_path: Path, cache_first: bool) -> None:
    pair = Pair(tmp_path, cache_first, machine="")
    report = pair.upgrade("v1.2.0")
    assert report.run.verdict is Verdict.REFUSED
    assert find_split(pair, report) == []
    assert "workloads.stop_services" not in pair.world.chain()


@both_orders
@pytest.mark.parametrize("wrote", ["database", "cache"])
def test_a_store_to_which_nothing_was_written_stays(tmp_path: Path, wrote: str, cache_first: bool) -> None:
    pair = Pair(tmp_path, cache_first)
    pair.world.releases["v1.3.0"].migrate = migrate_to(3) if wrote == "database" else pair.migrate_cache
    report = pair.upgrade("v1.3.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert find_split(pair, report) == []
    assert len(report.quarantine) == 1
    assert ("database.swap" in pair.world.chain(), "cache.exchange" in pair.world.chain()) == (
        wrote == "database",
        wrote == "cache",
    )


@both_orders
def test_a_copy_that_fails_takes_the_others_back(tmp_path: Path, cache_first: bool) -> None:
    pair = Pair(tmp_path, cache_first)
    pair.world.fail("database.copy" if cache_first else "cache.copy", LOST)
    report = pair.upgrade("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert find_split(pair, report) == []
    assert {*pair.world.databases, *pair.cache.data} == {pair.world.live, pair.cache.live}


@both_orders
def test_nothing_is_exchanged_where_one_store_has_no_data_to_go_back_to(tmp_path: Path, cache_first: bool) -> None:
    pair = Pair(tmp_path, cache_first)
    backups = FakeBackupStore(pair.world)

    def lose() -> None:
        for ref in [ref for ref in pair.cache.data if ref != pair.cache.live]:
            del pair.cache.data[ref]
        for path in [path for path in pair.world.files if path.name.endswith(pair.cache.file_suffix)]:
            backups.truncate(path, 3)

    pair.world.happen("workloads.start_job", lose)
    report = pair.upgrade("v1.2.0")
    assert report.run.verdict is Verdict.NEEDS_OPERATOR
    assert {"database.swap", "cache.exchange"}.isdisjoint(pair.world.chain())
    assert pair.world.lost() == []


@both_orders
def test_a_lost_copy_is_replaced_by_the_backup_of_its_store_alone(tmp_path: Path, cache_first: bool) -> None:
    pair = Pair(tmp_path, cache_first)

    def lose() -> None:
        for ref in [ref for ref in pair.cache.data if ref != pair.cache.live]:
            del pair.cache.data[ref]

    pair.world.happen("workloads.start_job", lose)
    report = pair.upgrade("v1.2.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert pair.cache.rows == ["before the backup"]  # what came later is in what was set aside
    assert pair.world.missing() == []
    assert any("between the backup and the stop" in contents.rows for contents in pair.cache.data.values())


@both_orders
def test_going_back_on_request_exchanges_both_and_keeps_both(tmp_path: Path, cache_first: bool) -> None:
    pair = Pair(tmp_path, cache_first)
    pair.upgrade("v1.1.0")
    before = pair.saved
    pair.save("since the upgrade")
    report = pair.roll_back()
    assert report.run.verdict is Verdict.COMMITTED, report.run.reason
    assert pair.find_split(report, before) == []
    assert len(report.quarantine) == 2
    assert pair.world.lost() == []
    assert any("since the upgrade" in contents.rows for contents in pair.cache.data.values())


@both_orders
def test_going_back_on_request_is_refused_where_one_store_has_nothing_to_go_back_to(
    tmp_path: Path, cache_first: bool
) -> None:
    pair = Pair(tmp_path, cache_first)
    pair.upgrade("v1.1.0")
    pair.save("since the upgrade")
    for ref in [ref for ref in pair.cache.data if ref != pair.cache.live]:
        del pair.cache.data[ref]
    report = pair.roll_back()
    assert report.run.verdict is Verdict.REFUSED
    assert "does not lie beside" in report.run.reason
    assert pair.find_split(report, pair.saved) == []


@pytest.mark.slow
@both_orders
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("version", STORIES)
def test_killed_around_any_effect_both_stores_end_on_one_side(
    tmp_path: Path, version: str, when: When, cache_first: bool
) -> None:
    whole = Pair(tmp_path / "whole", cache_first)
    for number in range(count_effects(whole, lambda: whole.upgrade(version))):
        pair = Pair(tmp_path / f"{number}", cache_first)
        pair.script.die_at(number, when)
        with pytest.raises(Killed):
            pair.upgrade(version)
        report = pair.recover()
        assert find_split(pair, report) == [], f"killed {when} effect {number}, behind {pair.world.chain()[-3:]}"


@pytest.mark.slow
@both_orders
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("exchange", ["database.swap", "cache.exchange"])
def test_killed_again_on_the_way_back_both_stores_end_on_one_side(
    tmp_path: Path, exchange: str, when: When, cache_first: bool
) -> None:
    def cut_off(name: str) -> Pair:
        pair = Pair(tmp_path / name, cache_first)
        pair.world.happen(exchange, die, when="after")
        with pytest.raises(Killed):
            pair.upgrade("v1.3.0")
        return pair

    whole = cut_off("whole")
    for number in range(count_effects(whole, whole.recover)):
        pair = cut_off(f"{number}")
        pair.script.revive()
        pair.script.die_at(number, when)
        with pytest.raises(Killed):
            pair.recover(revived=True)
        report = pair.recover()
        assert report.run.verdict is Verdict.ROLLED_BACK
        assert len(report.quarantine) == 2
        assert find_split(pair, report) == [], f"killed {when} effect {number}, behind {pair.world.chain()[-3:]}"


@pytest.mark.slow
@both_orders
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("version", STORIES)
def test_a_store_that_fails_once_splits_nothing(tmp_path: Path, version: str, when: When, cache_first: bool) -> None:
    whole = Pair(tmp_path / "whole", cache_first)
    whole.upgrade(version)
    failed = [
        number for number, call in enumerate(whole.world.calls) if call.method.startswith(("database.", "cache."))
    ]
    assert len(failed) > 10
    for number in failed:
        pair = Pair(tmp_path / f"{number}", cache_first)

        def fail() -> None:
            raise LOST

        pair.script.at_effect(number, when, fail)
        report = pair.upgrade(version)
        where = f"{when} effect {number}, {whole.world.calls[number]}"
        if report.run.verdict is Verdict.NEEDS_OPERATOR:
            assert {line.state for line in report.states} & {"restore", "rollback", "commit"}, where
            assert pair.is_kept(pair.saved), where
            continue
        assert find_split(pair, report) == [], where


@pytest.mark.slow
@both_orders
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_it_goes_back_on_request_nothing_is_exchanged_by_half(
    tmp_path: Path, when: When, cache_first: bool
) -> None:
    def begin(name: str) -> tuple[Pair, Callable[[RunReport], list[str]]]:
        pair = Pair(tmp_path / name, cache_first)
        pair.upgrade("v1.1.0")
        before = pair.saved
        pair.save("since the upgrade")
        return pair, lambda report: pair.find_split(report, before)

    whole, _ = begin("whole")
    for number in range(count_effects(whole, whole.roll_back)):
        pair, find_half = begin(f"{number}")
        pair.script.die_at(number, when)
        with pytest.raises(Killed):
            pair.roll_back()
        report = pair.recover(rollback=True)
        assert find_half(report) == [], f"killed {when} effect {number}, behind {pair.world.chain()[-3:]}"
        assert pair.world.lost() == []
