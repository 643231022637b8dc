"""Draw a plan as a standalone SVG for a page or a report: legible on light and dark, with a text description."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from orchestrator.graphs.edges import COLOURS, tell_verdict
from orchestrator.graphs.layout import Drawing, Node, draw_plan
from orchestrator.graphs.routing import Line
from orchestrator.graphs.run_path import RunPath
from orchestrator.machine.machine import choose_forward
from orchestrator.plan.schema import Plan

_HEAD = 64.0
_NARROWEST = 620.0
_MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
_STYLE = f"""
  text {{ font: 13px {_MONO}; fill: #1f2328; }}
  .sheet {{ fill: #ffffff; }}
  .title {{ font-size: 15px; font-weight: 700; }}
  .note, .word, .key {{ font-size: 11px; fill: #59636e; }}
  .box {{ fill: #f6f8fa; stroke: #818b98; stroke-width: 1.2; }}
  .line {{ fill: none; stroke: #818b98; stroke-width: 1.2; }}
  .forward {{ stroke: #1f2328; stroke-width: 2.2; }}
  .back {{ stroke: #9a6700; stroke-width: 1.6; stroke-dasharray: 6 4; }}
  .cut {{ stroke: #cf222e; stroke-width: 1.6; stroke-dasharray: 2 4; }}
  .taken {{ stroke: #0969da; stroke-width: 3.4; }}
  .tip-aside {{ fill: #818b98; }} .tip-forward {{ fill: #1f2328; }} .tip-back {{ fill: #9a6700; }}
  .tip-cut {{ fill: #cf222e; }} .tip-taken {{ fill: #0969da; }}
  .came .box {{ stroke: #0969da; stroke-width: 2.4; }}
  .wrong .box {{ stroke: #cf222e; stroke-width: 2.4; }}
  .stuck .box {{ stroke: #cf222e; stroke-width: 4; stroke-dasharray: 8 4; }}
  .missed {{ opacity: .65; }}
  .filled text {{ fill: #ffffff; }}
  .halo {{ paint-order: stroke; stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round; }}
  @media (prefers-color-scheme: dark) {{
    text {{ fill: #f0f6fc; }} .sheet {{ fill: #0d1117; }} .note, .word, .key {{ fill: #9198a1; }}
    .box {{ fill: #151b23; stroke: #656c76; }} .line {{ stroke: #656c76; }} .forward {{ stroke: #f0f6fc; }}
    .back {{ stroke: #d29922; }} .cut {{ stroke: #f85149; }} .taken {{ stroke: #4493f8; }}
    .tip-aside {{ fill: #656c76; }} .tip-forward {{ fill: #f0f6fc; }} .tip-back {{ fill: #d29922; }}
    .tip-cut {{ fill: #f85149; }} .tip-taken {{ fill: #4493f8; }}
    .came .box {{ stroke: #4493f8; }} .wrong .box, .stuck .box {{ stroke: #f85149; }}
    .halo {{ stroke: #0d1117; }}
  }}
"""
_KEYS = {"forward": "way forward", "aside": "to an end", "back": "way back", "taken": "taken by the run"}


def render_svg(plan: Plan, run_path: RunPath | None = None) -> str:
    """Render the whole file; with a run path its transitions, the times, and where it is or stopped."""
    notes = {name: run_path.tell_time(name) for name in plan.states} if run_path else {}
    drawing = draw_plan(plan, notes, run_path.steps if run_path else ())
    width, height = max(drawing.width, _NARROWEST), drawing.height + _HEAD
    title = f"{plan.name}: {run_path.title}" if run_path else plan.name
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
        f' height="{height:g}" role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(" ".join(_describe(plan, run_path)))}</desc>',
        f"<style>{_STYLE}</style>",
        f"<defs>{''.join(_tips())}</defs>",
        f'<rect class="sheet" width="{width:g}" height="{height:g}"/>',
        f'<text class="title" x="20" y="28">{escape(title)}</text>',
        *_legend(with_taken=run_path is not None),
        f'<g transform="translate(0 {_HEAD:g})">',
        *_draw_lines(drawing, run_path),
        *(_draw_node(node, run_path) for node in drawing.nodes),
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines)


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


def _tips() -> Iterator[str]:
    for way in ("forward", "aside", "back", "cut", "taken"):
        size = 5 if way in ("forward", "taken") else 8
        yield (
            f'<marker id="tip-{way}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="{size}" markerHeight="{size}"'
            f' orient="auto-start-reverse"><path class="tip-{way}" d="M0 .5 8 4 0 7.5z"/></marker>'
        )


def _legend(*, with_taken: bool) -> Iterator[str]:
    x = 20.0
    for way, words in _KEYS.items():
        if way == "taken" and not with_taken:
            continue
        yield f'<path class="line {way}" d="M{x:g} 48h28"/><text class="key" x="{x + 35:g}" y="52">{words}</text>'
        x += 35 + len(words) * 6.8 + 24


# Those that the run took lie above the others.
def _draw_lines(drawing: Drawing, run_path: RunPath | None) -> Iterator[str]:
    steps = set(run_path.steps) if run_path else set()
    for line in sorted(drawing.lines, key=lambda line: (line.source, line.target) in steps):
        taken = (line.source, line.target) in steps
        yield _draw_line(line, taken=taken, dimmed=run_path is not None and not taken)
    for line in drawing.lines:
        yield (
            f'<text class="word halo" x="{line.label_x:.1f}" y="{line.label_y:.1f}" text-anchor="{line.anchor}">'
            f"{escape(line.outcomes)}</text>"
        )


def _draw_line(line: Line, *, taken: bool, dimmed: bool) -> str:
    classes = f"line {line.way}" + (" taken" if taken else "") + (" missed" if dimmed else "")
    tip = "taken" if taken else line.way
    return (
        f'<path class="{classes}" d="{line.path}" marker-start="url(#tip-{tip})">'
        f"<title>{escape(f'{line.source}: {line.outcomes} → {line.target}')}</title></path>"
    )


def _draw_node(node: Node, run_path: RunPath | None) -> str:
    middle, fill = node.x + node.width / 2, ""
    if node.verdict:
        colour = next(colour for verdict, colour in COLOURS.items() if verdict.value == node.verdict)
        missed = run_path is not None and node.name not in run_path.states
        fill = f' style="{"fill:none;stroke" if missed else "fill"}:{colour}"'
    y = node.y + node.height / 2
    texts = f'<text x="{middle:.1f}" y="{y + (-2 if node.note else 5):.1f}" text-anchor="middle">{node.name}</text>'
    if node.note:
        note = escape(node.note)
        texts += f'<text class="note" x="{middle:.1f}" y="{y + 13:.1f}" text-anchor="middle">{note}</text>'
    shape = (
        f'<rect class="box" x="{node.x:g}" y="{node.y:g}" width="{node.width:g}" height="{node.height:g}"'
        f' rx="{20 if node.verdict else 6}"{fill}/>'
    )
    return f'<g class="{_classify(node, run_path)}">{shape}{texts}</g>'


def _classify(node: Node, run_path: RunPath | None) -> str:
    kind = "filled" if node.verdict else "state"
    if run_path is None:
        return kind
    if node.name == run_path.stuck:
        return f"{kind} stuck"
    if node.name not in run_path.states:
        return "" if node.verdict else f"{kind} missed"
    return f"{kind} {'wrong' if run_path.went_wrong(node.name) else 'came'}"
