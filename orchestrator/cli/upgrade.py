"""Commands that upgrade, or say whether there is something to upgrade to."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.boundary import (
    boundary,
    json_option,
    open_service,
    plan_argument,
    prerelease_option,
    version_option,
)
from orchestrator.cli.finish import run_shown
from orchestrator.cli.group import main
from orchestrator.cli.plan_path import find_plan
from orchestrator.cli.run_display import Output, open_session, output_options

if TYPE_CHECKING:
    from orchestrator.journal.journal import Run
    from orchestrator.machine.resume import ResumeAction
    from orchestrator.run.service import Service

EXIT_NEWER = 100


@main.command()
@plan_argument
@click.option("--check", "only_check", is_flag=True, help="Only say whether there is a newer release (exit 100).")
@click.option("--force", is_flag=True, help="Do not ask.")
@version_option
@prerelease_option
@click.option("--allow-downgrade", is_flag=True, help="Let --version name an older release.")
@click.option("--retry", is_flag=True, help="Try a release again that an earlier run could not stay on.")
@click.option("--dry-run", is_flag=True, help="Print the state graph and what each state would do; change nothing.")
@output_options
def run(
    plan: Path | None,
    only_check: bool,
    force: bool,
    version: str | None,
    prerelease: bool,
    allow_downgrade: bool,
    retry: bool,
    dry_run: bool,
    **output: bool,
) -> None:
    """Upgrade: back up, stop, migrate, start, prove; or go back.

    \b
    orchestrator run upgrade.yaml
    orchestrator run upgrade.yaml --dry-run
    orchestrator run upgrade.yaml --version v1.2.3 --force
    """
    from orchestrator.core.ports.release_finder import ReleaseRequest

    with open_session(Output(**output)) as session:
        request = ReleaseRequest(version=version, prerelease=prerelease, allow_downgrade=allow_downgrade, retry=retry)
        service = open_service(plan, session.operator)
        as_json = session.output.as_json or session.output.as_lines
        if only_check:
            sys.exit(_print_check(service, request, as_json))
        if dry_run:
            sys.exit(_print_dry_run(service, request, force, as_json))
        sys.exit(run_shown(session, service, lambda shown: service.run(request, assume_yes=force, listener=shown)))


@main.command()
@plan_argument
@click.option("--force", is_flag=True, help="Do not ask.")
@output_options
def rollback(plan: Path | None, force: bool, **output: bool) -> None:
    """Go back to the version that the last upgrade replaced.

    Its data come back with it: what was saved since is not in them. Says how much that is, dumps the present data
    first and keeps it aside as a database.

    \b
    orchestrator rollback upgrade.yaml
    orchestrator rollback upgrade.yaml --force
    """
    with open_session(Output(**output)) as session:
        service = open_service(plan, session.operator)
        sys.exit(run_shown(session, service, lambda shown: service.roll_back(assume_yes=force, listener=shown)))


@main.command()
@plan_argument
@output_options
def resume(plan: Path | None, **output: bool) -> None:
    """Go on with a run that was cut off.

    As far as what is there shows that this is right; otherwise it goes back.

    \b
    orchestrator resume upgrade.yaml
    """
    _take_up(plan, Output(**output), "resume")


@main.command()
@plan_argument
@output_options
def recover(plan: Path | None, **output: bool) -> None:
    """End a run that was cut off, with nobody watching.

    Goes back before the commit, forward after it, and asks nobody; for a unit that starts with the host.

    \b
    orchestrator recover upgrade.yaml
    """
    _take_up(plan, Output(**output), "recover")


@main.command()
@plan_argument
@version_option
@prerelease_option
@json_option
def check(plan: Path | None, version: str | None, prerelease: bool, as_json: bool) -> None:
    """Say whether there is a newer release.

    Exit code 100 if so, 0 if not.

    \b
    orchestrator check upgrade.yaml
    orchestrator check upgrade.yaml --prerelease --json
    """
    from orchestrator.core.ports.release_finder import ReleaseRequest

    with boundary(as_json):
        sys.exit(_print_check(open_service(plan), ReleaseRequest(version=version, prerelease=prerelease), as_json))


def _take_up(plan: Path | None, output: Output, word: str) -> None:
    from orchestrator.cli import render
    from orchestrator.machine.resume import Mode
    from orchestrator.redaction.terminal_text import sanitize
    from orchestrator.wiring import build_takeover

    def announce(run: Run, move: ResumeAction) -> None:
        click.echo(render.render_move(run, move), err=True)

    def warn(text: str) -> None:
        click.echo(f"note: {sanitize(text)}", err=True)

    with open_session(output) as session:
        way = build_takeover(find_plan(plan), session.operator)
        start = partial(way.take_up, Mode(word), announce=announce, warn=warn)
        sys.exit(run_shown(session, way, lambda shown: start(listener=shown)))


def _print_check(service: Service, request: Any, as_json: bool) -> int:
    from orchestrator.redaction.terminal_text import sanitize

    choice = service.check(request)
    target = choice.target
    if as_json:
        document = {
            "schema": 1,
            "current": choice.current.version.removeprefix("v"),
            "latest": target.release.version.removeprefix("v") if target else None,
            "updateAvailable": choice.newer,
            "releaseUrl": target.release.url if target else None,
        }
        click.echo(json.dumps(document))
    elif target is None:
        click.echo(f"{choice.current.version} is up to date.")
    else:
        click.echo(f"{choice.current.version} runs; {target.release.version} is available.")
        if choice.without_image:
            click.echo(f"Announced, but without an image yet: {', '.join(choice.without_image)}.")
        if target.release.notes:
            click.echo(sanitize(target.release.notes))
    return EXIT_NEWER if choice.newer else 0


def _print_dry_run(service: Service, request: Any, force: bool, as_json: bool) -> int:
    from orchestrator import graphs
    from orchestrator.cli import render

    states = service.dry_run(request, assume_yes=force)
    if as_json:
        click.echo(json.dumps({"schema": 1, "states": [vars(state) for state in states]}))
    else:
        click.echo(graphs.render_text(service.plan))
        click.echo("\nwhat each state would do\n")
        click.echo(render.render_dry_run(states))
        click.echo("\nNothing was changed.")
    return 10 if any(state.problem for state in states) else 0
