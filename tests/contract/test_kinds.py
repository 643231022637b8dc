"""Every kind of state keeps the contract, checked over the registry: a new kind is covered by being listed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.deadline import Deadline
from orchestrator.core.facts import Facts, Known, TargetRelease
from orchestrator.core.ledger import Artifact, Ledger
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.core.state_kind import CrashRule, StateContext, StateKind
from orchestrator.core.store_facts import Fence
from orchestrator.plan.operations import derive_reload, derive_rollback
from orchestrator.run.listener import Listener
from orchestrator.run.runner import ContextBuilder
from states.registry import KINDS
from tests.tools.bench import Bench
from tests.tools.outside import FakeHistory

ALL = sorted(KINDS)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def contexts(bench: Bench, tmp_path: Path) -> dict[str, StateContext[Any]]:
    """A context for each kind, in a plan that has it, with all facts that the way forward begins with."""
    world = bench.service.ports
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    choice = world.finder.find(ReleaseRequest())
    assert choice.target is not None
    project, fence = world.workloads.freeze(run_folder), Fence(database=bench.world.live)
    facts = Facts.of((project, fence, choice.current, choice.target))
    reload = derive_reload(bench.plan, KINDS, tmp_path / "backup.sql.gz", foreign=False)
    bench.world.script.calls.clear()
    return {
        spec.kind: ContextBuilder(
            plan, KINDS, world, FakeHistory(), Listener(), "r-1", run_folder, ReleaseRequest(), assume_yes=True
        )(spec, Known(facts, Ledger()), Deadline(world.clock, spec.timeout_s))
        for plan in (reload, derive_rollback(bench.plan, KINDS), bench.plan)
        for spec in plan.states.values()
    }


@pytest.mark.parametrize("kind", ALL)
def test_a_kind_declares_itself(kind: str) -> None:
    state: type[StateKind[Any]] = KINDS[kind]
    assert state.kind == kind
    assert state.__module__ == f"states.{kind}"
    assert state.summary.endswith(".")
    assert "failed" in state.outcomes
    assert all(state.outcomes.values())
    assert 0 < state.timeout_s <= 24 * 3600


@pytest.mark.parametrize("kind", ALL)
def test_a_kind_that_only_reads_runs_again_and_few_others_do(kind: str) -> None:
    state = KINDS[kind]
    reads_only = state.scope is EffectScope.NOTHING
    # What is unfinished of these is in nobody's way and is made anew.
    assert (state.crash_rule is CrashRule.RUN_AGAIN) is (reads_only or kind in {"backup", "restore_beside", "rehearse"})
    assert state.compensation is (state.crash_rule is CrashRule.REPEAT)
    assert not (state.interruptible and (state.compensation or state.opens_gate))


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != "command"])
def test_describing_and_preparing_change_nothing(
    kind: str, contexts: dict[str, StateContext[Any]], bench: Bench, tmp_path: Path
) -> None:
    state, before = KINDS[kind](), sorted(tmp_path.rglob("*"))
    bench.world.pin = str(contexts[kind].require(TargetRelease).pin)  # as `start` leaves it
    assert all(state.describe(contexts[kind]))
    prepared = state.prepare(contexts[kind])
    assert bench.world.chain() == []
    assert sorted(tmp_path.rglob("*")) == before
    assert all(type(fact) in {*state.provides, Artifact} for fact in prepared)


def test_pulling_twice_is_pulling_once(contexts: dict[str, StateContext[Any]], bench: Bench) -> None:
    context = contexts["pull"]
    context = replace(context, ledger=context.ledger.joined(KINDS["pull"]().prepare(context)))
    target = context.require(TargetRelease)
    bench.service.ports.images.pull(target.repository, target.pin, report=context.report, deadline=context.deadline)
    images = len(bench.world.images)
    outcomes = [KINDS["pull"]().perform(context).outcome for _ in range(2)]
    assert outcomes == ["done", "done"]
    assert len(bench.world.images) == images


def test_no_two_facts_share_a_name() -> None:
    kinds = {fact for state in KINDS.values() for fact in state.provides}
    assert len({kind.fact for kind in kinds}) == len(kinds)
