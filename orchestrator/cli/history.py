"""Commands about earlier runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.boundary import boundary, json_option, open_service, plan_argument, plan_option, run_argument
from orchestrator.cli.group import main
from orchestrator.cli.plan_path import find_plan
from orchestrator.cli.run_display import find_columns

if TYPE_CHECKING:
    from orchestrator.run.service import Service


@main.command()
@plan_argument
@json_option
def status(plan: Path | None, as_json: bool) -> None:
    """Show the newest run: how far it is, or how it ended.

    \b
    orchestrator status upgrade.yaml
    orchestrator status upgrade.yaml --json
    """
    with boundary(as_json):
        _print_report(open_service(plan), None, as_json)


@main.command()
@run_argument
@plan_option
@json_option
def show(run_id: str, plan: Path | None, as_json: bool) -> None:
    """Show one run: its states, its reason, what it has kept.

    \b
    orchestrator show r-20250130-143022-1f3a
    orchestrator show r-20250130-143022-1f3a --plan upgrade.yaml --json
    """
    with boundary(as_json):
        _print_report(open_service(plan), run_id, as_json)


@main.command()
@plan_argument
@json_option
def history(plan: Path | None, as_json: bool) -> None:
    """List all runs, newest first.

    \b
    orchestrator history upgrade.yaml
    orchestrator history upgrade.yaml --json
    """
    from orchestrator.cli import render

    with boundary(as_json):
        reports = open_service(plan).records.reports()
        if as_json:
            click.echo(json.dumps({"schema": 1, "runs": [report.to_json() for report in reports]}))
        else:
            click.echo(render.render_history(reports))


@main.command()
@run_argument
@plan_option
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to write; default: support-RUN.tar.gz."
)
@json_option
def support(run_id: str, plan: Path | None, output: Path | None, as_json: bool) -> None:
    """Pack all that is known of RUN into one file without secrets.

    For somebody who is asked for help: journal, plan, compose file, .env, logs and report, each secret masked. Works
    for a run that is unfinished too.

    \b
    orchestrator support r-20260130-143022-1f3a
    orchestrator support r-20260130-143022-1f3a --output /tmp/for-kim.tar.gz
    """
    from orchestrator.cli import render
    from orchestrator.wiring import build_support

    with boundary(as_json):
        written = build_support(find_plan(plan), run_id, (output or Path(f"support-{run_id}.tar.gz")).absolute())
        click.echo(json.dumps(written.to_json()) if as_json else render.render_support(written))


@main.command()
@run_argument
@plan_option
@json_option
def close(run_id: str, plan: Path | None, as_json: bool) -> None:
    """Close a run that was cut off and looked after by hand.

    What it has left at work is ended; it gets the end `needs operator`.

    \b
    orchestrator close r-20250130-143022-1f3a
    """
    from orchestrator.cli import render

    with boundary(as_json):
        report = open_service(plan).close(run_id)
        click.echo(json.dumps(report.to_json()) if as_json else render.render_report(report, find_columns()))


def _print_report(service: Service, run_id: str | None, as_json: bool) -> None:
    from orchestrator.cli import render

    report = service.records.report(run_id) if run_id else service.records.reports()[0]
    if as_json:
        click.echo(json.dumps(report.to_json()))
    else:
        click.echo(render.render_report(report, find_columns()))
        click.echo(render.render_states(report))
