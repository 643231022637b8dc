"""Commands that only read a plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.boundary import (
    boundary,
    find_plan,
    json_option,
    plan_argument,
)
from orchestrator.cli.group import main


@main.command()
@plan_argument
@json_option
def lint(plan: Path | None, as_json: bool) -> None:
    """Check a plan without touching anything."""
    from orchestrator.wiring import read_plan

    with boundary(as_json):
        found = read_plan(find_plan(plan))
        if as_json:
            click.echo(json.dumps({"schema": 1, "plan": str(found.source), "problems": []}))
        else:
            click.echo(f"{found.source}: no problem in {len(found.states)} states and {len(found.ends)} ends")


@main.command()
@plan_argument
@click.option("--format", "style", type=click.Choice(["text", "mermaid", "dot"]), default="text", show_default=True)
def graph(plan: Path | None, style: str) -> None:
    """Draw the plan's states and transitions."""
    from orchestrator import graphs
    from orchestrator.wiring import read_plan

    draw: dict[str, Callable[[Any], str]] = {
        "text": graphs.render_text,
        "mermaid": graphs.render_mermaid,
        "dot": graphs.render_dot,
    }
    with boundary(as_json=False):
        click.echo(draw[style](read_plan(find_plan(plan))))
