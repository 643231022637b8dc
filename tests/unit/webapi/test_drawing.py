"""Where states stand on the run page."""

from itertools import combinations
from pathlib import Path

import pytest

from orchestrator.machine import edges
from orchestrator.wiring import read_plan
from webapi.drawing import draw_plan

PLANS = sorted((Path(__file__).parents[3] / "plans").glob("*.yaml"))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_everything_has_a_place_of_its_own(path: Path) -> None:
    plan = read_plan(path)
    drawing = draw_plan(plan)
    assert [node.name for node in drawing.nodes] == [*plan.states, *plan.ends]
    for one, other in combinations(drawing.nodes, 2):
        assert one.x + one.width <= other.x or other.x + other.width <= one.x or abs(one.y - other.y) >= one.height
    for node in drawing.nodes:
        assert 0 <= node.x <= drawing.width - node.width
        assert 0 <= node.y <= drawing.height - node.height


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_every_way_is_drawn_once(path: Path) -> None:
    plan = read_plan(path)
    drawn = [(line.source, line.target) for line in draw_plan(plan).lines]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {(edge.source, edge.target) for edge in edges(plan)}
