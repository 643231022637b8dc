"""A plan for Graphviz."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.graphs.course import Course
from orchestrator.graphs.shown import (
    COLOURS,
    TAKEN,
    WRONG,
    Pair,
    build_ids,
    find_cuts,
    forward_pairs,
    group_edges,
    shown_edges,
)
from orchestrator.plan.schema import Plan


def render_dot(plan: Plan, path: Collection[Pair] = (), course: Course | None = None) -> str:
    """A digraph; ``path`` and ``course`` as `render_mermaid` has them."""
    ids = build_ids(plan)
    forward = forward_pairs(plan)
    lines = ["digraph plan {", '  rankdir=TB; node [shape=box, fontname="sans-serif"];']
    lines += [f'  {ids[name]} [label="{_label(name, course)}"{_outline(name, course)}];' for name in plan.states]
    lines += [
        f'  {ids[name]} [label="{name}", shape=oval, style=filled, fillcolor="{COLOURS[verdict]}", fontcolor=white];'
        for name, verdict in plan.ends.items()
    ]
    groups = group_edges(shown_edges(plan))
    way, colour = (course.steps, TAKEN) if course else (path, WRONG)
    cuts = [cut for cut in find_cuts(way, groups) if {cut[0], cut[1]} <= ids.keys()]
    for source, target, outcomes in [*groups, *cuts]:
        style = "bold" if (source, target) in forward else "dashed"
        seen = f', color="{colour}", penwidth=3' if (source, target) in way else ""
        lines.append(f'  {ids[source]} -> {ids[target]} [label="{", ".join(outcomes)}", style={style}{seen}];')
    return "\n".join([*lines, "}"])


def _label(name: str, course: Course | None) -> str:
    time = course.tell_time(name) if course else ""
    return f"{name}\\n{time}" if time else name


def _outline(name: str, course: Course | None) -> str:
    return f', color="{WRONG}", penwidth=4' if course and name == course.stuck else ""
