"""A plan as text for 80 columns."""

from __future__ import annotations

from orchestrator.core.model.verdict import EXIT_CODES
from orchestrator.graphs.edges import group_edges, shown_edges, tell_verdict
from orchestrator.graphs.run_path import Course
from orchestrator.machine.machine import choose_forward
from orchestrator.plan.schema import Plan

_CAME, _FAILED, _HERE, _NOT = "●", "✗", "▶", "·"


def render_text(plan: Plan, course: Course | None = None) -> str:
    """The way forward downwards, the way back below it, then what each end means.

    With a course each state has a mark and its time, and of the arrows only those are full that the run took.
    """
    forward = [name for name in choose_forward(plan) if name in plan.states]
    back = [name for name in plan.states if name not in forward]
    lines = [f"{plan.name}: way forward", ""] if course is None else [plan.name, course.title, "", "way forward", ""]
    lines += _column(plan, forward, course)
    if back:
        lines += ["", "way back", "", *_column(plan, back, course)]
    lines += ["", "ends", ""]
    width = max(len(name) for name in plan.ends)
    for name, verdict in plan.ends.items():
        mark = _mark(name, course)
        lines.append(f"{mark} {name:<{width}}  {tell_verdict(verdict)} (exit code {EXIT_CODES[verdict]})")
    return "\n".join(lines)


def _column(plan: Plan, names: list[str], course: Course | None) -> list[str]:
    lines: list[str] = []
    width = max(len(name) for name in plan.states)
    for position, name in enumerate(names):
        following = names[position + 1] if position + 1 < len(names) else ""
        groups = group_edges(edge for edge in shown_edges(plan) if edge.source == name)
        straight = [outcomes for _, target, outcomes in groups if target == following]
        aside = [f"{', '.join(outcomes)} → {target}" for _, target, outcomes in groups if target != following]
        time = f"{course.tell_time(name):>9}  " if course else ""
        lines.append(f"{_mark(name, course)} {name:<{width}}  {time}{'; '.join(aside)}".rstrip())
        arrow = "▼" if course is None or (name, following) in course.steps else "▽"
        lines += [f"  {arrow} {', '.join(outcomes)}" for outcomes in straight]
    return lines


def _mark(name: str, course: Course | None) -> str:
    if course is None:
        return " "
    if name == course.stuck:
        return _HERE
    if name not in course.states:
        return _NOT
    return _FAILED if course.went_wrong(name) else _CAME
