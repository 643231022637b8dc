"""Draw a plan as a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.core.model.verdict import Verdict
from orchestrator.graphs.edges import COLOURS, WRONG, Pair, choose_arrows
from orchestrator.graphs.run_path import RunPath
from orchestrator.plan.schema import Plan


def render_mermaid(plan: Plan, path: Collection[Pair] = (), run_path: RunPath | None = None) -> str:
    """Render a flowchart. ``path``: (state, state) of a path to highlight in red; that of a run is blue."""
    arrows = choose_arrows(plan, path, run_path)
    ids = arrows.ids
    lines = ["flowchart TD"]
    lines += [f'  {ids[name]}["{_label(name, run_path)}"]' for name in plan.states]
    lines += [f'  {ids[name]}(["{name}"]):::{verdict.value}' for name, verdict in plan.ends.items()]
    for source, target, outcomes in arrows.groups:
        arrow = "==>" if (source, target) in arrows.forward else "-.->"
        lines.append(f'  {ids[source]} {arrow}|"{", ".join(outcomes)}"| {ids[target]}')
    lines += [f'  {ids[source]} -.->|"{words[0]}"| {ids[target]}' for source, target, words in arrows.cuts]
    for number, group in enumerate([*arrows.groups, *arrows.cuts]):
        if group[:2] in arrows.way:
            lines.append(f"  linkStyle {number} stroke:{arrows.colour},stroke-width:3px")
    lines += [f"  classDef {verdict.value} fill:{COLOURS[verdict]},color:#fff,stroke:none" for verdict in _used(plan)]
    if run_path and run_path.stuck and run_path.stuck in ids:
        lines.append(f"  style {ids[run_path.stuck]} stroke:{WRONG},stroke-width:4px")
    return "\n".join(lines)


def _used(plan: Plan) -> Collection[Verdict]:
    return dict.fromkeys(plan.ends.values())


def _label(name: str, run_path: RunPath | None) -> str:
    time = run_path.tell_time(name) if run_path else ""
    return f"{name}<br/>{time}" if time else name
