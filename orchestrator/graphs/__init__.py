"""A plan as a graph: readable text for 80 columns, Mermaid, DOT and SVG. Pure: a plan in, text out.

With the `Course` of a run each of them shows the way that the run took, and how long each state was at work.
"""

from orchestrator.graphs.dot import render_dot
from orchestrator.graphs.edges import shown_edges
from orchestrator.graphs.mermaid import render_mermaid
from orchestrator.graphs.run_path import Course, Visit, read_course
from orchestrator.graphs.svg import render_svg
from orchestrator.graphs.text import render_text

__all__ = [
    "Course",
    "Visit",
    "read_course",
    "render_dot",
    "render_mermaid",
    "render_svg",
    "render_text",
    "shown_edges",
]
