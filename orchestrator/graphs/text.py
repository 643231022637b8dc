"""Draw a plan as text for 80 columns."""

from orchestrator.core.model.verdict import EXIT_CODES
from orchestrator.graphs.edges import group_edges, shown_edges, tell_verdict
from orchestrator.graphs.run_path import RunPath
from orchestrator.machine.machine import choose_forward
from orchestrator.plan.schema import Plan

_CAME, _FAILED, _HERE, _NOT = "●", "✗", "▶", "·"


def render_text(plan: Plan, run_path: RunPath | None = None) -> str:
    """Render the way forward downwards, the way back below it, then what each end means.

    With a run path each state has a mark and its time, and only the arrows that the run took are full.
    """
    forward = [name for name in choose_forward(plan) if name in plan.states]
    back = [name for name in plan.states if name not in forward]
    lines = (
        [f"{plan.name}: way forward", ""] if run_path is None else [plan.name, run_path.title, "", "way forward", ""]
    )
    lines += _column(plan, forward, run_path)
    if back:
        lines += ["", "way back", "", *_column(plan, back, run_path)]
    lines += ["", "ends", ""]
    width = max(len(name) for name in plan.ends)
    for name, verdict in plan.ends.items():
        mark = _mark(name, run_path)
        lines.append(f"{mark} {name:<{width}}  {tell_verdict(verdict)} (exit code {EXIT_CODES[verdict]})")
    return "\n".join(lines)


def _column(plan: Plan, names: list[str], run_path: RunPath | None) -> list[str]:
    lines: list[str] = []
    width = max(len(name) for name in plan.states)
    for position, name in enumerate(names):
        following = names[position + 1] if position + 1 < len(names) else ""
        groups = group_edges(edge for edge in shown_edges(plan) if edge.source == name)
        straight = [outcomes for _, target, outcomes in groups if target == following]
        aside = [f"{', '.join(outcomes)} → {target}" for _, target, outcomes in groups if target != following]
        time = f"{run_path.tell_time(name):>9}  " if run_path else ""
        lines.append(f"{_mark(name, run_path)} {name:<{width}}  {time}{'; '.join(aside)}".rstrip())
        arrow = "▼" if run_path is None or (name, following) in run_path.steps else "▽"
        lines += [f"  {arrow} {', '.join(outcomes)}" for outcomes in straight]
    return lines


def _mark(name: str, run_path: RunPath | None) -> str:
    if run_path is None:
        return " "
    if name == run_path.stuck:
        return _HERE
    if name not in run_path.states:
        return _NOT
    return _FAILED if run_path.went_wrong(name) else _CAME
