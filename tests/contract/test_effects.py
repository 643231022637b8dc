"""Declared effects of a kind equal the calls of real runs on the fakes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.checker.search import read_traits
from orchestrator.core.errors import PlatformError
from orchestrator.core.kind_model import Step
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.state_kind import StateKind
from orchestrator.plan.operations import derive_reload, derive_rollback
from orchestrator.plan.schema import Plan
from orchestrator.run.listener import Listener
from states.registry import KINDS
from tests.tools.bench import Bench

_BACK = (Step.RESTORE_DATABASE, Step.RESTORE_OR_KEEP)
_WRITES = (Step.MIGRATE_DATABASE, Step.WRITE_DATABASE)

#: Calls that change what others rely on → the steps of which one must be declared by who makes them.
CALLS: Mapping[str, tuple[Step, ...]] = {
    "workloads.stop_services": (Step.STOP_APP,),
    "workloads.start_services": (Step.START_NEW, Step.START_NEW_GATED, Step.START_OLD, Step.OPEN_GATE),
    "workloads.write_pin": (Step.PIN_NEW, Step.PIN_OLD),
    "workloads.start_job": _WRITES,
    "workloads.run_host_command": (*_WRITES, Step.CHANGE_APP),
    "database.fence": (Step.CLOSE_DATABASE, *_WRITES),
    "database.unfence": (Step.OPEN_DATABASE, *_WRITES),
    "database.copy": (Step.COPY_DATABASE,),
    "database.swap": (Step.SWAP_DATABASE, *_BACK),
    "backups.remove": (Step.DISCARD,),
    "images.forget": (Step.DISCARD,),
}
#: What a kind does beside the live database, which nobody relies on.
BESIDE = {"restore_beside": {"database.fence"}, "restore": {"database.copy"}}

_OF_THE_APP = frozenset(Step) - {Step.DISCARD, Step.PROVE_NEW, Step.PROVE_OLD, Step.COPY_DATABASE}
_OF_THE_DATA = frozenset({*_WRITES, *_BACK, Step.SWAP_DATABASE})


class Watcher(Listener):
    """Notes which state has made which calls."""

    def __init__(self, bench: Bench, plan: Plan) -> None:
        self.bench, self.plan = bench, plan
        self.made: set[tuple[str, str]] = set()
        self._seen = 0

    def entered(self, state: str, kind: str) -> None:
        self._seen = len(self.bench.world.calls)

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None:
        self.made |= {(state, call.method) for call in self.bench.world.calls[self._seen :]}

    def find_undeclared(self) -> list[tuple[str, str]]:
        setting = read_traits(self.plan, KINDS)
        found = []
        for name, method in sorted(self.made):
            spec = self.plan.states[name]
            steps = KINDS[spec.kind].effects(spec.options, setting).steps
            allowed = method in BESIDE.get(spec.kind, set())
            if method in CALLS and not allowed and not set(CALLS[method]) & set(steps):
                found.append((name, method))
        return found


@pytest.mark.parametrize("version", ["v1.1.0", "v1.2.0", "v1.3.0"])
def test_a_state_changes_nothing_that_its_kind_does_not_declare(tmp_path: Path, version: str) -> None:
    bench = Bench(tmp_path)
    for release in bench.world.releases.values():
        release.healthy_after_s = None if release.version == "v1.3.0" else 0.5
    watcher = Watcher(bench, bench.plan)
    bench.recorder = watcher  # type: ignore[assignment]
    bench.run(version)
    assert len(watcher.made) > 5
    assert watcher.find_undeclared() == []


@pytest.mark.parametrize("operation", ["rollback", "restore"])
@pytest.mark.parametrize("healthy", [True, False])
def test_an_exchange_of_data_changes_nothing_that_its_kinds_do_not_declare(
    tmp_path: Path, operation: str, healthy: bool
) -> None:
    bench = Bench(tmp_path)
    bench.run("v1.1.0")
    bench.world.clock.advance(60)
    file = next(path for path in bench.world.files if path.name.endswith(".gz"))
    if not healthy:
        bench.world.fail("workloads.start_services", PlatformError("compose.failed", "It does not start."))
    if operation == "rollback":
        watcher = Watcher(bench, derive_rollback(bench.plan, KINDS))
        bench.service.roll_back(assume_yes=True, listener=watcher)
    else:
        watcher = Watcher(bench, derive_reload(bench.plan, KINDS, file, foreign=False))
        bench.service.restore_backup(file, foreign=False, assume_yes=True, listener=watcher)
    assert ("swap_in", "database.swap") in watcher.made
    assert watcher.find_undeclared() == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_a_kind_declares_lies_within_its_scope_and_its_outcomes(kind: str, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    reload = derive_reload(bench.plan, KINDS, tmp_path / "x.sql.gz", foreign=False)
    plans = (bench.plan, reload, derive_rollback(bench.plan, KINDS))
    state: type[StateKind[Any]] = KINDS[kind]
    for plan in plans:
        for spec in plan.states.values():
            if spec.kind != kind:
                continue
            effects = state.effects(spec.options, read_traits(plan, KINDS))
            assert effects.success in state.outcomes
            assert all(outcome in state.outcomes for outcome, _ in effects.on_outcome)
            assert not (state.compensation and effects.network)
            if set(effects.steps) & _OF_THE_DATA:
                assert state.scope is EffectScope.DATABASE
            elif set(effects.steps) & _OF_THE_APP:
                assert state.scope in (EffectScope.APP, EffectScope.DATABASE)
