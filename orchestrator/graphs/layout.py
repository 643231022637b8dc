"""Place states, ends and transitions on a sheet: a small layered layout for SVG and the run page.

The way forward goes straight down in one column, its good end below it. Left of it are the ends to which it can leave
at no cost, right of it the states of the way back, and right of those their ends. Lines to one target share a lane
between two columns; a line that passes a column does so between two rows.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from orchestrator.core.model.verdict import EXIT_CODES
from orchestrator.graphs.edges import CUT_OFF, Group, Pair, find_cuts, group_edges, shown_edges, tell_verdict
from orchestrator.graphs.routing import LABEL_CHARACTER, Box, Line, choose_ways, draw_lines, measure_channels
from orchestrator.machine.machine import choose_forward
from orchestrator.plan.schema import Plan

_MARGIN = 20.0
_CHARACTER = 8.2  # of a monospaced font of 13 px, with room for the wider ones
_PADDING = 28.0
_NARROWEST = 104.0
_HEIGHT, _PER_LINE, _BETWEEN = 40.0, 15.0, 28.0

EARLY, FORWARD, BACK, LATE = range(4)


@dataclass(frozen=True)
class Node:
    """A state or an end, by its upper left corner; ``verdict`` is empty for a state. ``note``: its second line."""

    name: str
    kind: str
    verdict: str
    note: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Drawing:
    """A plan on a sheet of this size."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    lines: tuple[Line, ...]


def draw_plan(plan: Plan, notes: Mapping[str, str] | None = None, taken: Iterable[Pair] = ()) -> Drawing:
    """Place everything that `orchestrator graph` shows.

    ``notes``: state → its second line. ``taken``: steps of a run; steps that the plan does not have are drawn, too.
    """
    groups = group_edges(shown_edges(plan))
    known = {*plan.states, *plan.ends}
    groups += [cut for cut in find_cuts(taken, groups) if {cut[0], cut[1]} <= known]
    columns = _choose_columns(plan, groups)
    rows = _choose_rows(plan, groups, columns)
    texts = {name: (notes or {}).get(name, "") for name in plan.states} | _tell_ends(plan)
    ways = choose_ways(groups, columns, rows, _sort_lines(plan, columns, groups))
    row_height = max(_HEIGHT, _PER_LINE * (max(Counter(way.source for way in ways).values(), default=1) + 1))
    boxes = _place(columns, rows, texts, measure_channels(ways), row_height)
    lines = draw_lines(ways, boxes)
    nodes = [_build_node(plan, name, texts[name], boxes[name]) for name in (*plan.states, *plan.ends)]
    width = max([*(box.right for box in boxes.values()), *(line.right for line in lines)]) + _MARGIN
    height = max(box.y + box.height for box in boxes.values()) + _MARGIN
    return Drawing(round(width, 1), round(height, 1), tuple(nodes), tuple(lines))


def _choose_columns(plan: Plan, groups: Sequence[Group]) -> dict[str, int]:
    path = choose_forward(plan)
    sources = {name: {source for source, target, _ in groups if target == name} for name in plan.ends}
    columns = {name: FORWARD if name in path else BACK for name in plan.states}
    for name in plan.ends:
        columns[name] = FORWARD if name == path[-1] else EARLY if sources[name] <= set(path) else LATE
    return columns


def _choose_rows(plan: Plan, groups: Sequence[Group], columns: Mapping[str, int]) -> dict[str, int]:
    rows = {name: row for row, name in enumerate(choose_forward(plan))}
    _stack(_order(plan, columns), groups, rows, keep_order=True)
    for column in (EARLY, LATE):
        _stack([name for name in plan.ends if columns[name] == column], groups, rows)
    return rows


# The states of the way back in the order in which they are gone through, a cycle broken where it begins.
def _order(plan: Plan, columns: Mapping[str, int]) -> list[str]:
    found: list[str] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        seen.add(name)
        for target in plan.states[name].then.values():
            if columns.get(target) == BACK and target in plan.states and target not in seen:
                visit(target)
        found.append(name)

    for name in reversed([name for name in plan.states if columns[name] == BACK]):
        if name not in seen:
            visit(name)
    return found[::-1]


# Each as near as it can be to what leads there, and below what stands there already.
def _stack(names: Sequence[str], groups: Sequence[Group], rows: dict[str, int], *, keep_order: bool = False) -> None:
    def wish(name: str) -> float:
        near = [rows[source] for source, target, _ in groups if target == name and source in rows]
        return mean(near) if near else 0.0

    free = 0
    for name in names if keep_order else sorted(names, key=wish):
        rows[name] = max(free, round(wish(name)))
        free = rows[name] + 1


def _sort_lines(plan: Plan, columns: Mapping[str, int], groups: Sequence[Group]) -> dict[Pair, str]:
    """Map each line to its sort, as `Line` names it."""
    straight = set(itertools.pairwise(choose_forward(plan)))
    sorts = {}
    for source, target, words in groups:
        back = BACK in (columns[source], columns[target]) or columns[target] == LATE
        way = "forward" if (source, target) in straight else "back" if back else "aside"
        sorts[source, target] = "cut" if words == [CUT_OFF] else way
    return sorts


def _tell_ends(plan: Plan) -> dict[str, str]:
    return {name: f"{tell_verdict(verdict)} · exit {EXIT_CODES[verdict]}" for name, verdict in plan.ends.items()}


def _place(
    columns: Mapping[str, int],
    rows: Mapping[str, int],
    texts: Mapping[str, str],
    channels: Mapping[int, float],
    row_height: float,
) -> dict[str, Box]:
    widths: dict[int, float] = {}
    for name, column in columns.items():
        wanted = max(len(name) * _CHARACTER, len(texts[name]) * LABEL_CHARACTER) + _PADDING
        widths[column] = max(widths.get(column, _NARROWEST), wanted)
    lefts: dict[int, float] = {}
    x = _MARGIN
    for column in sorted(widths):
        lefts[column] = x
        x += widths[column] + channels.get(column, _BETWEEN)
    pitch = row_height + _BETWEEN
    return {
        name: Box(column, rows[name], lefts[column], _MARGIN + rows[name] * pitch, widths[column], row_height, _BETWEEN)
        for name, column in columns.items()
    }


def _build_node(plan: Plan, name: str, note: str, box: Box) -> Node:
    state = plan.states.get(name)
    verdict = plan.ends[name].value if state is None else ""
    return Node(name, state.kind if state else "", verdict, note, box.x, box.y, box.width, box.height)
