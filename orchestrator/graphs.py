"""A plan as a graph: readable text for 80 columns, Mermaid and DOT. Pure: a plan in, text out."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable

from orchestrator.contract import FAILED, TIMEOUT
from orchestrator.machine import Edge, choose_forward, edges
from orchestrator.model import EXIT_CODES, Verdict
from orchestrator.plan.schema import Plan

_COLOURS = {
    Verdict.COMMITTED: "#2da44e",
    Verdict.UP_TO_DATE: "#2da44e",
    Verdict.REFUSED: "#bf8700",
    Verdict.ROLLED_BACK: "#bf8700",
    Verdict.NEEDS_OPERATOR: "#cf222e",
}


_ON_PATH = "stroke:#cf222e,stroke-width:3px"


def shown_edges(plan: Plan) -> tuple[Edge, ...]:
    """All transitions but those a reader takes for granted: a timeout that goes where failing goes."""
    return tuple(
        edge
        for edge in edges(plan)
        if edge.outcome != TIMEOUT or edge.target != plan.states[edge.source].then.get(FAILED)
    )


def render_text(plan: Plan) -> str:
    """The way forward downwards, the way back below it, then what each end means."""
    forward = [name for name in choose_forward(plan) if name in plan.states]
    back = [name for name in plan.states if name not in forward]
    lines = [f"{plan.name}: way forward", ""]
    lines += _column(plan, forward)
    if back:
        lines += ["", "way back", "", *_column(plan, back)]
    lines += ["", "ends", ""]
    width = max(len(name) for name in plan.ends)
    for name, verdict in plan.ends.items():
        lines.append(f"  {name:<{width}}  {verdict.value.replace('_', ' ')} (exit code {EXIT_CODES[verdict]})")
    return "\n".join(lines)


def render_mermaid(plan: Plan, path: Collection[tuple[str, str]] = ()) -> str:
    """A flowchart; ids are of our making, because not every state name is a legal one.

    ``path``: (state, state) of a way to be seen in it; what lies on it is red.
    """
    ids = _ids(plan)
    forward = _forward_pairs(plan)
    lines = ["flowchart TD"]
    lines += [f'  {ids[name]}["{name}"]' for name in plan.states]
    lines += [f'  {ids[name]}(["{name}"]):::{verdict.value}' for name, verdict in plan.ends.items()]
    groups = _grouped(shown_edges(plan))
    for source, target, outcomes in groups:
        arrow = "==>" if (source, target) in forward else "-.->"
        lines.append(f'  {ids[source]} {arrow}|"{", ".join(outcomes)}"| {ids[target]}')
    cuts = _find_cuts(path, groups)
    lines += [f'  {ids[source]} -.->|"cut off"| {ids[target]}' for source, target in cuts]
    pairs = [*(group[:2] for group in groups), *cuts]
    lines += [f"  linkStyle {number} {_ON_PATH}" for number, pair in enumerate(pairs) if pair in path]
    used = dict.fromkeys(plan.ends.values())
    lines += [f"  classDef {verdict.value} fill:{_COLOURS[verdict]},color:#fff,stroke:none" for verdict in used]
    return "\n".join(lines)


def render_dot(plan: Plan, path: Collection[tuple[str, str]] = ()) -> str:
    """The same for Graphviz."""
    ids = _ids(plan)
    forward = _forward_pairs(plan)
    lines = ["digraph plan {", '  rankdir=TB; node [shape=box, fontname="sans-serif"];']
    lines += [f'  {ids[name]} [label="{name}"];' for name in plan.states]
    lines += [
        f'  {ids[name]} [label="{name}", shape=oval, style=filled, fillcolor="{_COLOURS[verdict]}", fontcolor=white];'
        for name, verdict in plan.ends.items()
    ]
    groups = _grouped(shown_edges(plan))
    cuts = _find_cuts(path, groups)
    for source, target, outcomes in [*groups, *((*pair, ["cut off"]) for pair in cuts)]:
        style = "bold" if (source, target) in forward else "dashed"
        colour = ', color="#cf222e", penwidth=3' if (source, target) in path else ""
        lines.append(f'  {ids[source]} -> {ids[target]} [label="{", ".join(outcomes)}", style={style}{colour}];')
    return "\n".join([*lines, "}"])


def _column(plan: Plan, names: list[str]) -> list[str]:
    lines: list[str] = []
    width = max(len(name) for name in plan.states)
    for position, name in enumerate(names):
        following = names[position + 1] if position + 1 < len(names) else None
        groups = list(_grouped(edge for edge in shown_edges(plan) if edge.source == name))
        straight = [outcomes for _, target, outcomes in groups if target == following]
        aside = [f"{', '.join(outcomes)} → {target}" for _, target, outcomes in groups if target != following]
        lines.append(f"  {name:<{width}}  {'; '.join(aside)}".rstrip())
        lines += [f"  ▼ {', '.join(outcomes)}" for outcomes in straight]
    return lines


def _forward_pairs(plan: Plan) -> Collection[tuple[str, str]]:
    path = choose_forward(plan)
    return set(itertools.pairwise(path))


def _grouped(found: Iterable[Edge]) -> list[tuple[str, str, list[str]]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for edge in found:
        groups.setdefault((edge.source, edge.target), []).append(edge.outcome)
    return [(source, target, outcomes) for (source, target), outcomes in groups.items()]


def _find_cuts(path: Collection[tuple[str, str]], groups: list[tuple[str, str, list[str]]]) -> list[tuple[str, str]]:
    """Steps of a path for which the plan has no transition: the run was cut off there, and went on elsewhere."""
    drawn = {(source, target) for source, target, _ in groups}
    return [pair for pair in dict.fromkeys(path) if pair not in drawn and pair[0] != pair[1]]


def _ids(plan: Plan) -> dict[str, str]:
    return {name: f"s{number}" for number, name in enumerate([*plan.states, *plan.ends])}
