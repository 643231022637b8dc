"""The command that teaches a shell."""

import click

from orchestrator.cli.group import main


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script by which a shell completes commands.

    Options, plans, runs, versions and backups, too. The line that a shell reads as it starts:

    \b
    ~/.bashrc    source <(orchestrator completion bash)
    ~/.zshrc     source <(orchestrator completion zsh)    (behind compinit)
    config.fish  orchestrator completion fish | source

    \b
    orchestrator completion bash > /etc/bash_completion.d/orchestrator
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(main, {}, "orchestrator", "_ORCHESTRATOR_COMPLETE").source())
