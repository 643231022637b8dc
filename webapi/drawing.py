"""Where a plan's states and transitions stand on the run page. Pure: a plan in, places in pixels out.

The way forward goes down in the first column; what leads back stands in the second, the ends in the last one, each as
near as it can be to the states that lead there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from orchestrator.graphs import shown_edges
from orchestrator.machine import choose_forward
from orchestrator.plan.schema import Plan

_WIDTH, _HEIGHT = 136, 32
_PITCH_X, _PITCH_Y = 236, 50
_MARGIN = 16


@dataclass(frozen=True)
class Node:
    """A state or an end, by its upper left corner; ``verdict`` is empty for a state."""

    name: str
    kind: str
    verdict: str
    x: float
    y: float
    width: int = _WIDTH
    height: int = _HEIGHT


@dataclass(frozen=True)
class Line:
    """Where one or more outcomes of a state lead; ``path`` is SVG path data."""

    source: str
    target: str
    outcomes: str
    forward: bool
    path: str


@dataclass(frozen=True)
class Drawing:
    """A plan on a sheet of this size."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    lines: tuple[Line, ...]


def draw_plan(plan: Plan) -> Drawing:
    """Place everything that `orchestrator graph` shows."""
    outcomes = _group(plan)
    forward = [name for name in choose_forward(plan) if name in plan.states]
    back = [name for name in plan.states if name not in forward]
    rows = {name: float(row) for row, name in enumerate(forward)}
    for column in (back, list(plan.ends)):
        rows |= _place(column, outcomes, rows)
    columns = {**dict.fromkeys(forward, 0), **dict.fromkeys(back, 1), **dict.fromkeys(plan.ends, 2 if back else 1)}
    nodes = {name: _build_node(plan, name, columns[name], rows[name]) for name in (*plan.states, *plan.ends)}
    lines = [
        Line(
            source, target, ", ".join(words), _is_straight(forward, source, target), _join(nodes[source], nodes[target])
        )
        for (source, target), words in outcomes.items()
    ]
    width = max(node.x for node in nodes.values()) + _WIDTH + _MARGIN
    height = max(node.y for node in nodes.values()) + _HEIGHT + _MARGIN
    return Drawing(width, height, tuple(nodes.values()), tuple(lines))


def _group(plan: Plan) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for edge in shown_edges(plan):
        groups.setdefault((edge.source, edge.target), []).append(edge.outcome)
    return groups


# In the order of where each would like to stand, and then pushed down by those that stand there already.
def _place(
    column: Sequence[str], outcomes: Mapping[tuple[str, str], list[str]], rows: Mapping[str, float]
) -> dict[str, float]:
    wanted = {}
    for name in column:
        above = [rows[source] for source, target in outcomes if target == name and source in rows]
        wanted[name] = mean(above) if above else float(len(rows))
    placed: dict[str, float] = {}
    free = 0.0
    for name in sorted(column, key=lambda name: wanted[name]):
        placed[name] = max(free, wanted[name])
        free = placed[name] + 1
    return placed


def _build_node(plan: Plan, name: str, column: int, row: float) -> Node:
    state = plan.states.get(name)
    verdict = plan.ends[name].value if state is None else ""
    return Node(
        name=name,
        kind=state.kind if state else "",
        verdict=verdict,
        x=_MARGIN + column * _PITCH_X,
        y=round(_MARGIN + row * _PITCH_Y, 1),
    )


def _is_straight(forward: Sequence[str], source: str, target: str) -> bool:
    return source in forward and (target in forward or source == forward[-1]) and target != source


def _join(source: Node, target: Node) -> str:
    if source.x == target.x:
        return _join_column(source, target)
    x1, y1 = source.x + _WIDTH, source.y + _HEIGHT / 2
    x2, y2 = target.x, target.y + _HEIGHT / 2
    middle = (x1 + x2) / 2
    return f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}"


def _join_column(source: Node, target: Node) -> str:
    below = target.y - source.y
    if 0 < below <= _PITCH_Y * 1.5:
        x = source.x + _WIDTH / 2
        return f"M{x} {source.y + _HEIGHT} L{x} {target.y}"
    x, y1, y2 = source.x, source.y + _HEIGHT / 2, target.y + _HEIGHT / 2
    return f"M{x} {y1} C{x - _MARGIN} {y1} {x - _MARGIN} {y2} {x} {y2}"
