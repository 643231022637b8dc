"""Commands about what earlier runs have kept."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.boundary import (
    boundary,
    json_option,
    open_service,
    plan_argument,
    plan_option,
    run_argument,
)
from orchestrator.cli.finish import run_shown
from orchestrator.cli.group import main
from orchestrator.cli.run_display import Output, open_session, output_options
from orchestrator.cli.suggestions import find_backups, quietly

if TYPE_CHECKING:
    from orchestrator.run.past_runs import KeptDatabase


@main.group()
def backups() -> None:
    """List, verify and restore backups.

    \b
    orchestrator backups list upgrade.yaml
    orchestrator backups verify
    """


@backups.command("list")
@plan_argument
@json_option
def list_backups(plan: Path | None, as_json: bool) -> None:
    """List the proven backups that are kept, and the databases in quarantine, newest first.

    \b
    orchestrator backups list upgrade.yaml
    orchestrator backups list upgrade.yaml --json
    """
    from orchestrator.cli import render

    with boundary(as_json):
        records = open_service(plan).records
        receipts, kept = records.receipts(), records.quarantines()
        if as_json:
            document = {
                "schema": 1,
                "backups": [receipt.model_dump(mode="json") for receipt in receipts],
                "quarantine": [to_document(one) for one in kept],
            }
            click.echo(json.dumps(document))
        else:
            click.echo(render.render_receipts(receipts) or "There is no proven backup yet.")
            if kept:
                click.echo(f"\nin quarantine\n{render.render_quarantines(kept)}")


@backups.command("verify")
@click.argument("file", type=click.Path(path_type=Path), required=False, shell_complete=quietly(find_backups))
@plan_option
@json_option
def verify_backups(file: Path | None, plan: Path | None, as_json: bool) -> None:
    """Read backups back in full and compare them with what was proven; all of them without FILE.

    \b
    orchestrator backups verify
    orchestrator backups verify backups/2025-01-30_143022_v1.2.2.sql.gz --plan upgrade.yaml
    """
    from orchestrator.cli import render

    with boundary(as_json):
        checks = open_service(plan).records.verify_backups(file, report=lambda _: None)
        if as_json:
            documents = [{"path": str(c.receipt.path), "problem": c.problem} for c in checks]
            click.echo(json.dumps({"schema": 1, "backups": documents}))
        else:
            click.echo(render.render_checks(checks) or "There is no proven backup yet.")
        sys.exit(10 if any(c.problem for c in checks) else 0)


@backups.command("restore")
@click.argument(
    "file", type=click.Path(path_type=Path, exists=True, dir_okay=False), shell_complete=quietly(find_backups)
)
@plan_option
@click.option("--foreign", is_flag=True, help="Take a file that no run here has proven: its functions come with it.")
@click.option("--force", is_flag=True, help="Do not ask.")
@output_options
def restore_backup(file: Path, plan: Path | None, foreign: bool, force: bool, **output: bool) -> None:
    """Exchange the data for those of a backup; the version stays.

    FILE is restored beside the live database and compared while the app serves; then you are asked. The present
    data is dumped first and kept aside as a database.

    \b
    orchestrator backups restore backups/2025-01-30_143022_v1.2.2.sql.gz
    orchestrator backups restore dump.sql.gz --foreign --plan upgrade.yaml
    """
    with open_session(Output(**output)) as session:
        service = open_service(plan, session.operator)
        start = partial(service.restore_backup, file.absolute(), foreign=foreign, assume_yes=force)
        sys.exit(run_shown(session, service, lambda shown: start(listener=shown)))


@main.group()
def quarantine() -> None:
    """Let go of databases that runs have set aside.

    \b
    orchestrator quarantine drop r-20250130-143022-1f3a
    """


@quarantine.command("drop")
@run_argument
@plan_option
@click.option("--force", is_flag=True, help="Do not ask.")
@json_option
def drop_quarantine(run_id: str, plan: Path | None, force: bool, as_json: bool) -> None:
    """Drop for ever the database that RUN has set aside; what users wrote to it goes with it.

    \b
    orchestrator quarantine drop r-20250130-143022-1f3a
    orchestrator quarantine drop r-20250130-143022-1f3a --plan upgrade.yaml --force
    """
    from orchestrator.cli import render
    from orchestrator.live.operator import ask_consent

    with boundary(as_json):
        records = open_service(plan).records
        kept = records.find_quarantine(run_id)
        prompt = f"{render.render_quarantines([kept])}\nDrop it for ever?"
        if not force and not ask_consent(prompt, option="--force drops"):
            click.echo("Nothing was dropped.", err=True)
            sys.exit(10)
        records.drop_quarantine(run_id)
        click.echo(json.dumps({"schema": 1, "dropped": to_document(kept)}) if as_json else f"Dropped {kept.database}.")


def to_document(kept: KeptDatabase) -> dict[str, object]:
    """A database in quarantine as JSON has it."""
    return {**vars(kept), "since": kept.since.isoformat() if kept.since else None}
