"""A plan as a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.core.model.verdict import Verdict
from orchestrator.graphs.edges import COLOURS, WRONG, Pair, choose_arrows
from orchestrator.graphs.run_path import Course
from orchestrator.plan.schema import Plan


def render_mermaid(plan: Plan, path: Collection[Pair] = (), course: Course | None = None) -> str:
    """A flowchart. ``path``: (state, state) of a way to be seen in it, in red; that of a course is blue."""
    arrows = choose_arrows(plan, path, course)
    ids = arrows.ids
    lines = ["flowchart TD"]
    lines += [f'  {ids[name]}["{_label(name, course)}"]' for name in plan.states]
    lines += [f'  {ids[name]}(["{name}"]):::{verdict.value}' for name, verdict in plan.ends.items()]
    for source, target, outcomes in arrows.groups:
        arrow = "==>" if (source, target) in arrows.forward else "-.->"
        lines.append(f'  {ids[source]} {arrow}|"{", ".join(outcomes)}"| {ids[target]}')
    lines += [f'  {ids[source]} -.->|"{words[0]}"| {ids[target]}' for source, target, words in arrows.cuts]
    for number, group in enumerate([*arrows.groups, *arrows.cuts]):
        if group[:2] in arrows.way:
            lines.append(f"  linkStyle {number} stroke:{arrows.colour},stroke-width:3px")
    lines += [f"  classDef {verdict.value} fill:{COLOURS[verdict]},color:#fff,stroke:none" for verdict in _used(plan)]
    if course and course.stuck and course.stuck in ids:
        lines.append(f"  style {ids[course.stuck]} stroke:{WRONG},stroke-width:4px")
    return "\n".join(lines)


def _used(plan: Plan) -> Collection[Verdict]:
    return dict.fromkeys(plan.ends.values())


def _label(name: str, course: Course | None) -> str:
    time = course.tell_time(name) if course else ""
    return f"{name}<br/>{time}" if time else name
