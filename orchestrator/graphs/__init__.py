"""Draw a plan as a graph: text for 80 columns, Mermaid, DOT and SVG. Pure: a plan in, text out.

SVG is apart (`orchestrator.graphs.svg`), because its library takes longer to import than all the others to draw.

With a `RunPath`, each format shows the path that a run took, and how long each state was at work.
"""

from orchestrator.graphs.edges import shown_edges
from orchestrator.graphs.flowchart import render_dot, render_mermaid
from orchestrator.graphs.run_path import RunPath, Visit, read_run_path
from orchestrator.graphs.text import render_text

__all__ = [
    "RunPath",
    "Visit",
    "read_run_path",
    "render_dot",
    "render_mermaid",
    "render_text",
    "shown_edges",
]
