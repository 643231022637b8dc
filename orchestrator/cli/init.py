"""The command that makes a plan out of a compose file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.boundary import boundary, json_option
from orchestrator.cli.group import main
from orchestrator.cli.plan_path import remember_trusted, trust_option

if TYPE_CHECKING:
    from orchestrator.init.interview import Open
    from orchestrator.init.proposal import Proposal


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--output", type=click.Path(path_type=Path), help="The plan to write; default: upgrade.yaml in FOLDER.")
@click.option("--file", "-f", "files", multiple=True, metavar="FILE", help="A compose file in FOLDER; may be repeated.")
@click.option("--app", metavar="SERVICE", help="What runs the release; several with commas between.")
@click.option("--database", metavar="SERVICE", help="The PostgreSQL service.")
@click.option("--database-user", metavar="ROLE", help="Its superuser, where POSTGRES_USER does not say it.")
@click.option("--database-name", metavar="NAME", help="The app's database, where POSTGRES_DB does not say it.")
@click.option("--current", metavar="V", help="The version that runs now.")
@click.option("--variable", metavar="NAME", help="The variable in .env that holds the version.")
@click.option("--health-url", metavar="URL", help="Where the app says that it is well; or `containers`.")
@click.option("--migrate", metavar="COMMAND", help="Service and command that migrate; or `on-start`.")
@click.option("--repository", metavar="OWNER/NAME", help="Releases of this GitHub repository; else the image's tags.")
@click.option("--backups", metavar="FOLDER", help="Where backups go; default: backups in FOLDER.")
@click.option("--name", metavar="NAME", help="Name of the plan.")
@click.option("--yes", "-y", is_flag=True, help="Take the guesses that can do no harm, and do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@trust_option
@json_option
def init(
    folder: Path,
    output: Path | None,
    files: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    as_json: bool,
    **given: str | None,
) -> None:
    """Write a plan for the app in FOLDER from its compose file.

    Shows every change before it is made, and asks only for what the compose file does not tell.

    \b
    orchestrator init /opt/miniflux
    orchestrator init /opt/wiki --yes --health-url http://localhost:3000/healthz --migrate on-start
    orchestrator init . --dry-run
    """
    from orchestrator.init.interview import Interview
    from orchestrator.init.writing import require_new
    from orchestrator.live.operator import ask_consent
    from orchestrator.wiring import build_proposal, carry_out

    with boundary(as_json):
        plan = (output or folder / "upgrade.yaml").absolute()
        require_new(plan)
        answers = {f"--{key.replace('_', '-')}": value for key, value in given.items() if value is not None}
        interview = Interview(answers, lambda topic: None if yes or as_json else _ask(topic))
        proposal = build_proposal(folder.absolute(), files, plan, interview)
        if not as_json:
            _show(proposal)
        agreed = not dry_run and (yes or ask_consent("\nWrite this?", option="--yes writes"))
        if agreed:
            carry_out(proposal, folder.absolute(), files)
            remember_trusted(plan)
        _tell_end(proposal, agreed=agreed, dry_run=dry_run, as_json=as_json)
        sys.exit(0 if agreed or dry_run else 10)


def _ask(topic: Open) -> str | None:
    from orchestrator.live.operator import has_terminal

    if not has_terminal():
        return None
    choices = f" ({', '.join(topic.choices)})" if topic.choices else ""
    text = f"\n{topic.why}\n{topic.question}{choices}".lstrip()
    try:
        return str(click.prompt(text, default=topic.guess or None, err=True)).strip()
    except click.Abort:
        return None


def _show(proposal: Proposal) -> None:
    for option, answer in proposal.answers.items():
        click.echo(f"{option.removeprefix('--'):<12}  {answer}")
    for change in (*proposal.changes, proposal.plan):
        click.echo(f"\n{change.diff()}", nl=False)
    if not proposal.folder.is_dir():
        click.echo(f"\nfolder to be made: {proposal.folder} (mode 0700)")


def _tell_end(proposal: Proposal, *, agreed: bool, dry_run: bool, as_json: bool) -> None:
    if as_json:
        document = {
            "schema": 1,
            "plan": str(proposal.plan.path),
            "answers": dict(proposal.answers),
            "changes": [{"path": str(one.path), "diff": one.diff()} for one in (*proposal.changes, proposal.plan)],
            "written": agreed,
        }
        click.echo(json.dumps(document))
    elif agreed:
        path = proposal.plan.path
        click.echo(f"\nWritten: {path}")
        click.echo(f"next      1. orchestrator doctor {path}\n          2. orchestrator run {path} --dry-run")
    elif not dry_run:
        click.echo("Nothing was written.", err=True)
