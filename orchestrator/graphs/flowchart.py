"""Draw a plan as the text of a diagram that Mermaid or Graphviz lays out."""

from collections.abc import Collection

from orchestrator.graphs.edges import COLOURS, WRONG, Pair, choose_arrows
from orchestrator.graphs.run_path import RunPath
from orchestrator.plan.schema import Plan


def render_mermaid(plan: Plan, path: Collection[Pair] = (), run_path: RunPath | None = None) -> str:
    """Render a flowchart. ``path``: (state, state) of a path to highlight in red; that of a run is blue."""
    arrows = choose_arrows(plan, path, run_path)
    ids = arrows.ids
    lines = ["flowchart TD"]
    lines += [f'  {ids[name]}["{label}"]' for name, label in _label_states(plan, run_path, "<br/>").items()]
    lines += [f'  {ids[name]}(["{name}"]):::{verdict.value}' for name, verdict in plan.ends.items()]
    for source, target, outcomes in arrows.groups:
        arrow = "==>" if (source, target) in arrows.forward else "-.->"
        lines.append(f'  {ids[source]} {arrow}|"{", ".join(outcomes)}"| {ids[target]}')
    lines += [f'  {ids[source]} -.->|"{words[0]}"| {ids[target]}' for source, target, words in arrows.cuts]
    for number, group in enumerate([*arrows.groups, *arrows.cuts]):
        if group[:2] in arrows.way:
            lines.append(f"  linkStyle {number} stroke:{arrows.colour},stroke-width:3px")
    used = dict.fromkeys(plan.ends.values())
    lines += [f"  classDef {verdict.value} fill:{COLOURS[verdict]},color:#fff,stroke:none" for verdict in used]
    if run_path and run_path.stuck and run_path.stuck in ids:
        lines.append(f"  style {ids[run_path.stuck]} stroke:{WRONG},stroke-width:4px")
    return "\n".join(lines)


def render_dot(plan: Plan, path: Collection[Pair] = (), run_path: RunPath | None = None) -> str:
    """Render a digraph; ``path`` and ``run_path`` as in `render_mermaid`."""
    arrows = choose_arrows(plan, path, run_path)
    ids = arrows.ids
    outlines = {run_path.stuck: f', color="{WRONG}", penwidth=4'} if run_path else {}
    lines = ["digraph plan {", '  rankdir=TB; node [shape=box, fontname="sans-serif"];']
    labels = _label_states(plan, run_path, r"\n")
    lines += [f'  {ids[name]} [label="{label}"{outlines.get(name, "")}];' for name, label in labels.items()]
    lines += [
        f'  {ids[name]} [label="{name}", shape=oval, style=filled, fillcolor="{COLOURS[verdict]}", fontcolor=white];'
        for name, verdict in plan.ends.items()
    ]
    for source, target, outcomes in [*arrows.groups, *arrows.cuts]:
        style = "bold" if (source, target) in arrows.forward else "dashed"
        seen = f', color="{arrows.colour}", penwidth=3' if (source, target) in arrows.way else ""
        lines.append(f'  {ids[source]} -> {ids[target]} [label="{", ".join(outcomes)}", style={style}{seen}];')
    return "\n".join([*lines, "}"])


def _label_states(plan: Plan, run_path: RunPath | None, newline: str) -> dict[str, str]:
    times = {name: run_path.tell_time(name) for name in plan.states} if run_path else {}
    return {name: newline.join(filter(None, (name, times.get(name)))) for name in plan.states}
