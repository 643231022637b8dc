"""Commands that only read a plan."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.boundary import boundary, json_option, plan_argument
from orchestrator.cli.group import main
from orchestrator.cli.plan_path import find_plan
from orchestrator.cli.suggestions import find_runs, quietly

if TYPE_CHECKING:
    from orchestrator import graphs
    from orchestrator.checker.findings import Finding
    from orchestrator.plan.schema import Plan


@main.command()
@plan_argument
@json_option
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "sarif", "mermaid", "dot"]),
    default="text",
    show_default=True,
    help="How to tell it; mermaid and dot draw the path of the first finding into the graph.",
)
def lint(plan: Path | None, as_json: bool, style: str) -> None:
    """Check a plan and every way that a run could take through it.

    Touches nothing and asks no engine; the services that it names are looked up in the compose files that are at hand.
    Exit code 2 where it is refused, 0 where there is nothing to say or only warnings.

    \b
    orchestrator lint upgrade.yaml
    orchestrator lint upgrade.yaml --format sarif
    """
    from orchestrator.checker.findings import check_plan
    from orchestrator.cli import lint_report as lines
    from orchestrator.core.errors import PlanError
    from orchestrator.init.plan_names import require_known_services
    from orchestrator.wiring import read_plan
    from states.registry import KINDS

    with boundary(as_json or style == "json"):
        source = find_plan(plan)
        try:
            found = read_plan(source)
            require_known_services(found, KINDS)
        except PlanError as error:
            if style != "sarif":
                raise
            click.echo(lines.render_sarif_of_error(source, error))
            sys.exit(error.exit_code)
        findings = check_plan(found, KINDS)
        click.echo(_draw_findings("json" if as_json else style, found, findings))
        sys.exit(lines.choose_exit_code(findings))


def _draw_findings(style: str, plan: Plan, findings: tuple[Finding, ...]) -> str:
    from orchestrator import graphs
    from orchestrator.cli import lint_report as lines

    path = [(hop.state, hop.to) for hop in findings[0].path] if findings else []
    draw: dict[str, Callable[[], str]] = {
        "text": lambda: lines.render_text(plan, findings),
        "json": lambda: json.dumps(lines.build_json(plan, findings)),
        "sarif": lambda: lines.render_sarif(plan.source, findings),
        "mermaid": lambda: graphs.render_mermaid(plan, path),
        "dot": lambda: graphs.render_dot(plan, path),
    }
    return draw[style]()


@main.command()
@plan_argument
@click.option(
    "--format", "style", type=click.Choice(["text", "mermaid", "dot", "svg"]), default="text", show_default=True
)
@click.option(
    "--run",
    "run_id",
    metavar="RUN",
    help="Show the way that this run took, the times, and where it is.",
    shell_complete=quietly(find_runs),
)
def graph(plan: Path | None, style: str, run_id: str | None) -> None:
    """Draw the plan's states and transitions.

    With --run it is the plan as that run had it, with the way that it took.

    \b
    orchestrator graph upgrade.yaml
    orchestrator graph upgrade.yaml --format svg > plan.svg
    orchestrator graph upgrade.yaml --run r-20250130-143022-1f3a
    """
    from orchestrator import graphs
    from orchestrator.run.confirmed_plan import read_plan_of_run
    from orchestrator.wiring import read_plan
    from states.registry import KINDS

    draw: dict[str, Callable[[Plan, graphs.RunPath | None], str]] = {
        "text": graphs.render_text,
        "mermaid": lambda found, run_path: graphs.render_mermaid(found, run_path=run_path),
        "dot": lambda found, run_path: graphs.render_dot(found, run_path=run_path),
        "svg": _render_svg,
    }
    with boundary(as_json=False):
        found, run_path = read_plan(find_plan(plan)), None
        if run_id is not None:
            found, run, records = read_plan_of_run(found, run_id, KINDS)
            run_path = graphs.read_run_path(run, records)
        click.echo(draw[style](found, run_path))


def _render_svg(plan: Plan, run_path: graphs.RunPath | None) -> str:
    from orchestrator.graphs.svg import render_svg

    return render_svg(plan, run_path)


@main.command()
def schema() -> None:
    """Print the JSON Schema by which an editor completes plans.

    The first line of a plan tells an editor where it is: `# yaml-language-server: $schema=./plan.schema.json`.
    `orchestrator init` writes it beside the plan.

    \b
    orchestrator schema > plan.schema.json
    """
    from orchestrator.plan.json_schema import render_json_schema
    from states.registry import KINDS

    with boundary(as_json=False):
        click.echo(render_json_schema(KINDS), nl=False)
