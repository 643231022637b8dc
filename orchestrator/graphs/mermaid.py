"""A plan as a Mermaid flowchart."""

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
from orchestrator.model import Verdict
from orchestrator.plan.schema import Plan


def render_mermaid(plan: Plan, path: Collection[Pair] = (), course: Course | None = None) -> str:
    """A flowchart. ``path``: (state, state) of a way to be seen in it, in red; that of a course is blue."""
    ids = build_ids(plan)
    forward = forward_pairs(plan)
    lines = ["flowchart TD"]
    lines += [f'  {ids[name]}["{_label(name, course)}"]' for name in plan.states]
    lines += [f'  {ids[name]}(["{name}"]):::{verdict.value}' for name, verdict in plan.ends.items()]
    groups = group_edges(shown_edges(plan))
    for source, target, outcomes in groups:
        arrow = "==>" if (source, target) in forward else "-.->"
        lines.append(f'  {ids[source]} {arrow}|"{", ".join(outcomes)}"| {ids[target]}')
    way, colour = (course.steps, TAKEN) if course else (path, WRONG)
    cuts = [cut for cut in find_cuts(way, groups) if {cut[0], cut[1]} <= ids.keys()]
    lines += [f'  {ids[source]} -.->|"{words[0]}"| {ids[target]}' for source, target, words in cuts]
    for number, group in enumerate([*groups, *cuts]):
        if group[:2] in way:
            lines.append(f"  linkStyle {number} stroke:{colour},stroke-width:3px")
    lines += [f"  classDef {verdict.value} fill:{COLOURS[verdict]},color:#fff,stroke:none" for verdict in _used(plan)]
    if course and course.stuck and course.stuck in ids:
        lines.append(f"  style {ids[course.stuck]} stroke:{WRONG},stroke-width:4px")
    return "\n".join(lines)


def _used(plan: Plan) -> Collection[Verdict]:
    return dict.fromkeys(plan.ends.values())


def _label(name: str, course: Course | None) -> str:
    time = course.tell_time(name) if course else ""
    return f"{name}<br/>{time}" if time else name
