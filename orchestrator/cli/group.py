"""The command `orchestrator` itself."""

from __future__ import annotations

import os

import click

from orchestrator.cli.streams import outlive_terminal


@click.group(context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "ORCHESTRATOR"})
@click.version_option(package_name="upgrade-orchestrator", prog_name="orchestrator")
@click.pass_context
def main(context: click.Context) -> None:
    """Upgrade a self-hosted app as a state machine that always finds its way back."""
    outlive_terminal()
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        context.color = False
