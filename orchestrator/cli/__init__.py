"""The command line: thin commands over the service, one error boundary, exit codes that scripts can rely on."""

from orchestrator.cli import data, init, past, plans, serve, upgrade
from orchestrator.cli.group import main

__all__ = ["data", "init", "main", "past", "plans", "serve", "upgrade"]
