"""Draw a plan for Graphviz."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.graphs.edges import COLOURS, WRONG, Pair, choose_arrows
from orchestrator.graphs.run_path import RunPath
from orchestrator.plan.schema import Plan


def render_dot(plan: Plan, path: Collection[Pair] = (), run_path: RunPath | None = None) -> str:
    """Render a digraph; ``path`` and ``run_path`` as in `render_mermaid`."""
    arrows = choose_arrows(plan, path, run_path)
    ids = arrows.ids
    lines = ["digraph plan {", '  rankdir=TB; node [shape=box, fontname="sans-serif"];']
    lines += [f'  {ids[name]} [label="{_label(name, run_path)}"{_outline(name, run_path)}];' for name in plan.states]
    lines += [
        f'  {ids[name]} [label="{name}", shape=oval, style=filled, fillcolor="{COLOURS[verdict]}", fontcolor=white];'
        for name, verdict in plan.ends.items()
    ]
    for source, target, outcomes in [*arrows.groups, *arrows.cuts]:
        style = "bold" if (source, target) in arrows.forward else "dashed"
        seen = f', color="{arrows.colour}", penwidth=3' if (source, target) in arrows.way else ""
        lines.append(f'  {ids[source]} -> {ids[target]} [label="{", ".join(outcomes)}", style={style}{seen}];')
    return "\n".join([*lines, "}"])


def _label(name: str, run_path: RunPath | None) -> str:
    time = run_path.tell_time(name) if run_path else ""
    return f"{name}\\n{time}" if time else name


def _outline(name: str, run_path: RunPath | None) -> str:
    return f', color="{WRONG}", penwidth=4' if run_path and name == run_path.stuck else ""
