"""Draw a plan as a standalone SVG for a page or a report: legible on light and dark, with a text description.

What it looks like is in ``plan.svg.jinja``.
"""

from collections.abc import Iterator
from functools import partial

from jinja2 import Environment, PackageLoader, StrictUndefined

from orchestrator.graphs.edges import COLOURS, tell_verdict
from orchestrator.graphs.layout import Node, draw_plan
from orchestrator.graphs.run_path import RunPath
from orchestrator.machine.machine import choose_forward
from orchestrator.plan.schema import Plan

_HEAD = 64
_NARROWEST = 620.0


def render_svg(plan: Plan, run_path: RunPath | None = None) -> str:
    """Render the whole file; with a run path its transitions, the times, and where it is or stopped."""
    notes = {name: run_path.tell_time(name) for name in plan.states} if run_path else {}
    steps = run_path.steps if run_path else ()
    drawing = draw_plan(plan, notes, steps)
    lines = [(line, (line.source, line.target) in steps) for line in drawing.lines]
    loader = PackageLoader("orchestrator.graphs", "")
    template = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("plan.svg.jinja")
    return template.render(
        title=f"{plan.name}: {run_path.title}" if run_path else plan.name,
        description=" ".join(_describe(plan, run_path)),
        width=max(drawing.width, _NARROWEST),
        height=drawing.height + _HEAD,
        head=_HEAD,
        run=run_path,
        drawing=drawing,
        lines=sorted(lines, key=lambda one: one[1]),
        colours={verdict.value: colour for verdict, colour in COLOURS.items()},
        classify=partial(_classify, run_path),
    )


def _describe(plan: Plan, run_path: RunPath | None) -> Iterator[str]:
    path = choose_forward(plan)
    back = [name for name in plan.states if name not in path]
    yield f"A state machine. Way forward: {', '.join(path)}."
    if back:
        yield f"Way back: {', '.join(back)}."
    yield f"Ends: {', '.join(f'{name} ({tell_verdict(verdict)})' for name, verdict in plan.ends.items())}."
    if run_path:
        yield f"Taken by the run: {', '.join(f'{one} → {other}' for one, other in run_path.steps) or 'nothing yet'}."
    if run_path and run_path.stuck:
        yield f"It is, or could not go on, in {run_path.stuck}."


def _classify(run_path: RunPath | None, node: Node) -> str:
    kind = "filled" if node.verdict else "state"
    if run_path is None:
        return kind
    if node.name == run_path.stuck:
        return f"{kind} stuck"
    if node.name not in run_path.states:
        return "" if node.verdict else f"{kind} missed"
    return f"{kind} {'wrong' if run_path.went_wrong(node.name) else 'came'}"
