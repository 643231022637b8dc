"""The command `orchestrator` itself."""

from __future__ import annotations

import importlib
import os
import resource
from typing import TYPE_CHECKING

import click

from orchestrator import __version__
from orchestrator.cli.catalog import CATALOG, SECTIONS
from orchestrator.cli.streams import outlive_terminal

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


_BEGIN = """\b
To begin:
  orchestrator init /opt/my-app         writes a plan
  orchestrator doctor PLAN              tries what an upgrade needs
  orchestrator run PLAN --dry-run       shows what an upgrade would do
"""


class LazyGroup(click.Group):
    """Knows its commands from the catalog, and imports the module of one when that one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them, in the order in which they are told."""
        return list(CATALOG)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command with this name; its module adds it to the group."""
        if cmd_name not in self.commands and cmd_name in CATALOG:
            importlib.import_module(f"orchestrator.cli.{CATALOG[cmd_name].module}")
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As its base has it, with suggestions from all commands and not only from those that are imported."""
        name = args[0]
        if not (name.startswith("-") or name in CATALOG or ctx.resilient_parsing):
            raise click.exceptions.NoSuchCommand(name, possibilities=CATALOG, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The catalog, one section after the other."""
        width = max(map(len, CATALOG))
        for title, entries in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:<{width}}", entry.summary) for name, entry in entries.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands with their summaries, and options of the group."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=CATALOG[name].summary) for name in CATALOG if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "ORCHESTRATOR"},
    epilog=_BEGIN,
)
@click.version_option(__version__, prog_name="orchestrator")
@click.pass_context
def main(context: click.Context) -> None:
    """Upgrade a self-hosted app as a state machine that always finds its way back."""
    outlive_terminal()
    # Our memory holds the secrets of the app, and a file with it would lie where nobody masks anything.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        context.color = False
