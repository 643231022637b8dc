"""Runs that an earlier version began under the former names of kinds are recovered to the same ends."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.core.errors import DatabaseError
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.state_kind import Kinds
from orchestrator.journal.journal import Journal
from orchestrator.plan import operations
from orchestrator.plan.schema import Plan
from orchestrator.run import service
from states.registry import KINDS
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version
from tests.unit.run.test_cut_off_between_states import Work, kill_at, recover_exchange, reload

FORMER = {"find_previous": "recall", "restore_beside": "load", "swap_in": "reinstate", "drop_restored": "discard"}


def begin_as_an_earlier_version(monkeypatch: pytest.MonkeyPatch, work: Work, record: str, state: str) -> None:
    """Let a run be killed at a record of this state, with the former names in its machine and its journal."""
    derive_rollback, derive_reload = operations.derive_rollback, operations.derive_reload

    def name(plan: Plan) -> Plan:
        return operations._name_as_recorded(plan, KINDS, {*FORMER.values()})

    def former_rollback(plan: Plan, kinds: Kinds) -> Plan:
        return name(derive_rollback(plan, kinds))

    def former_reload(plan: Plan, kinds: Kinds, file: Path, *, foreign: bool) -> Plan:
        return name(derive_reload(plan, kinds, file, foreign=foreign))

    with monkeypatch.context() as patched:
        patched.setattr(service, "derive_rollback", former_rollback)
        patched.setattr(service, "derive_reload", former_reload)
        for kind, former in FORMER.items():
            patched.setattr(KINDS[kind], "kind", former)
        kill_at("append", lambda _run, _at, word, name, _payload: (word, name) == (record, state), work)


def recorded_states(bench: Bench) -> set[str]:
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        run = journal.find_unfinished()
        assert run is not None
        return {record.state for record in journal.records(run.id)}


@pytest.mark.parametrize("record", ["entered", "prepared", "left"])
@pytest.mark.parametrize("state", ["recall", "reinstate"])
def test_rollback_begun_under_former_names_is_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, record: str
) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.run("v1.1.0")
    bench.world.users_write(3)
    bench.world.clock.advance(60)

    def roll_back() -> None:
        bench.service.roll_back(assume_yes=True, listener=bench.recorder)

    begin_as_an_earlier_version(monkeypatch, roll_back, record, state)
    assert not {*FORMER} & recorded_states(bench)
    report = recover_exchange(bench)
    assert report.run.verdict in (Verdict.ROLLED_BACK, Verdict.REFUSED)
    assert serving_version(bench.world) == "v1.1.0"
    assert bench.world.missing() == []


@pytest.mark.parametrize(("record", "state"), [("left", "load"), ("prepared", "reinstate"), ("entered", "discard")])
def test_restore_begun_under_former_names_is_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: str, state: str
) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.run("v1.1.0")
    if state == "discard":
        bench.world.fail("database.dump", DatabaseError("database.lost", "The connection was lost."))
    begin_as_an_earlier_version(monkeypatch, reload(bench), record, state)
    assert not {*FORMER} & recorded_states(bench)
    report = recover_exchange(bench)
    assert report.run.verdict in (Verdict.ROLLED_BACK, Verdict.REFUSED)
    assert serving_version(bench.world) == "v1.1.0"
    assert not [name for name in bench.world.databases if "__restore_" in name]
