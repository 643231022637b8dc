"""The graph of a plan reads well in 80 columns and shows every transition."""

from pathlib import Path

import pytest

from orchestrator import graphs
from orchestrator.machine.machine import Machine, choose_forward, edges
from orchestrator.plan.load import load_plan
from orchestrator.plan.schema import Plan
from states.registry import KINDS

PLANS = sorted((Path(__file__).parents[3] / "plans").glob("*.yaml"))


@pytest.fixture(params=PLANS, ids=lambda path: path.stem)
def plan(request: pytest.FixtureRequest) -> Plan:
    return load_plan(request.param, KINDS)


def test_the_text_fits_in_80_columns(plan: Plan) -> None:
    assert max(len(line) for line in graphs.render_text(plan).splitlines()) <= 80


def test_every_state_end_and_shown_edge_is_in_each_form(plan: Plan) -> None:
    text, mermaid, dot = graphs.render_text(plan), graphs.render_mermaid(plan), graphs.render_dot(plan)
    for name in (*plan.states, *plan.ends):
        assert name in text
        assert f'"{name}"' in mermaid
        assert f'"{name}"' in dot
    pairs = {(edge.source, edge.target) for edge in graphs.shown_edges(plan)}
    assert len([line for line in mermaid.splitlines() if "|" in line]) == len(pairs)
    assert len([line for line in dot.splitlines() if " -> " in line]) == len(pairs)


def test_the_way_forward_ends_where_the_new_version_stays(plan: Plan) -> None:
    assert plan.ends[choose_forward(plan)[-1]].value == "committed"


def test_the_machine_follows_the_plan_and_nothing_else(plan: Plan) -> None:
    for edge in edges(plan):
        assert Machine(plan, at=edge.source).move(edge.outcome) == edge.target
    with pytest.raises(Exception, match="leads nowhere"):
        Machine(plan).move("no_such_outcome")
