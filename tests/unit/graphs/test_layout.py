"""Where states and lines stand: nothing lies on anything else, every name fits its box, the way forward is straight."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from benchmarks.checker import stretch
from orchestrator.graphs.layout import Drawing, draw_plan
from orchestrator.graphs.svg import render_svg
from orchestrator.machine.machine import choose_forward, edges
from orchestrator.plan.load import load_plan, parse_plan
from orchestrator.plan.schema import Plan
from states.registry import KINDS
from tests.unit.checker.plans import SOURCE, write_machine, write_plan

PLANS = {path.stem: load_plan(path, KINDS) for path in sorted((Path(__file__).parents[3] / "plans").glob("*.yaml"))}
PLANS["thirty"] = stretch(30)
LONG = "migrate_the_tables_of_every_tenant_that_we_have"
MACHINE = write_machine({}).replace('"migrate": {', f'"{LONG}": {{').replace('"done": "migrate"', f'"done": "{LONG}"')
PLANS["long"] = parse_plan(write_plan(MACHINE), SOURCE, KINDS)
SVG = "{http://www.w3.org/2000/svg}"
CHARACTER = 7.9  # what a browser takes for one of a monospaced font of 13 px


@pytest.fixture(params=PLANS)
def plan(request: pytest.FixtureRequest) -> Plan:
    return PLANS[request.param]


def read_points(path: str) -> list[tuple[float, float]]:
    numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", path)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def find_pierced(drawing: Drawing) -> list[tuple[str, str, str]]:
    """(source, target, node): lines that run through a node that is neither."""
    found = []
    for line in drawing.lines:
        for (x1, y1), (x2, y2) in pairwise(read_points(line.path)):
            for node in drawing.nodes:
                inside_x = max(x1, x2) > node.x + 0.5 and min(x1, x2) < node.x + node.width - 0.5
                inside_y = max(y1, y2) > node.y + 0.5 and min(y1, y2) < node.y + node.height - 0.5
                if inside_x and inside_y:
                    found.append((line.source, line.target, node.name))
    return found


def test_everything_has_a_place_of_its_own_on_the_sheet(plan: Plan) -> None:
    drawing = draw_plan(plan)
    assert [node.name for node in drawing.nodes] == [*plan.states, *plan.ends]
    for one, other in combinations(drawing.nodes, 2):
        beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert beside or one.y + one.height <= other.y or other.y + other.height <= one.y
    for node in drawing.nodes:
        assert 0 <= node.x <= drawing.width - node.width
        assert 0 <= node.y <= drawing.height - node.height
        assert len(node.name) * CHARACTER < node.width
        assert len(node.note) * 6.7 < node.width
    for x, y in (point for line in drawing.lines for point in read_points(line.path)):
        assert 0 < x < drawing.width
        assert 0 < y < drawing.height


def test_every_way_is_drawn_once_and_through_no_box(plan: Plan) -> None:
    drawing = draw_plan(plan)
    drawn = [(line.source, line.target) for line in drawing.lines]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {(edge.source, edge.target) for edge in edges(plan)}
    assert find_pierced(drawing) == []


def test_the_way_forward_is_one_straight_line_down(plan: Plan) -> None:
    drawing = draw_plan(plan)
    steps = [line for line in drawing.lines if line.way == "forward"]
    assert {(line.source, line.target) for line in steps} == set(pairwise(choose_forward(plan)))
    assert len({x for line in steps for x, _ in read_points(line.path)}) == 1


def test_the_svg_is_whole_and_told_in_words(plan: Plan) -> None:
    root = ET.fromstring(render_svg(plan))  # noqa: S314 (our own text)
    assert root.get("role") == "img"
    named = {part.get("id"): part.text for tag in ("title", "desc") for part in root.findall(f"{SVG}{tag}")}
    assert str(root.get("aria-labelledby")).split() == list(named)
    for name in (*plan.states, *plan.ends):
        assert name in str(named["desc"])
    shown = {text.text for text in root.iter(f"{SVG}text")}
    assert {*plan.states, *plan.ends} <= shown
    assert "prefers-color-scheme: dark" in str(root.findtext(f"{SVG}style"))


def test_a_line_that_passes_a_column_stays_apart_from_what_leaves_there() -> None:
    drawing = draw_plan(PLANS["thirty"])
    commit = next(line for line in drawing.lines if (line.source, line.target) == ("commit", "stranded"))
    others = [read_points(line.path)[-1][1] for line in drawing.lines if line.target == "restore"]
    back = next(node for node in drawing.nodes if node.name == "restore")
    assert not {y for x, y in read_points(commit.path) if x < back.x} & set(others)
