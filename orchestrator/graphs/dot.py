"""A plan for Graphviz."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.graphs.edges import COLOURS, WRONG, Pair, choose_arrows
from orchestrator.graphs.run_path import Course
from orchestrator.plan.schema import Plan


def render_dot(plan: Plan, path: Collection[Pair] = (), course: Course | None = None) -> str:
    """A digraph; ``path`` and ``course`` as `render_mermaid` has them."""
    arrows = choose_arrows(plan, path, course)
    ids = arrows.ids
    lines = ["digraph plan {", '  rankdir=TB; node [shape=box, fontname="sans-serif"];']
    lines += [f'  {ids[name]} [label="{_label(name, course)}"{_outline(name, course)}];' for name in plan.states]
    lines += [
        f'  {ids[name]} [label="{name}", shape=oval, style=filled, fillcolor="{COLOURS[verdict]}", fontcolor=white];'
        for name, verdict in plan.ends.items()
    ]
    for source, target, outcomes in [*arrows.groups, *arrows.cuts]:
        style = "bold" if (source, target) in arrows.forward else "dashed"
        seen = f', color="{arrows.colour}", penwidth=3' if (source, target) in arrows.way else ""
        lines.append(f'  {ids[source]} -> {ids[target]} [label="{", ".join(outcomes)}", style={style}{seen}];')
    return "\n".join([*lines, "}"])


def _label(name: str, course: Course | None) -> str:
    time = course.tell_time(name) if course else ""
    return f"{name}\\n{time}" if time else name


def _outline(name: str, course: Course | None) -> str:
    return f', color="{WRONG}", penwidth=4' if course and name == course.stuck else ""
