"""The command line: thin commands over the service, one error boundary, exit codes that scripts can rely on."""

from orchestrator.cli.group import main

__all__ = ["main"]
