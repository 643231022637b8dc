"""The person at the terminal, who is asked."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import click

from orchestrator.core.model.progress import Question
from orchestrator.live.formatting import wrap
from orchestrator.redaction.terminal_text import sanitize

_NOTES_LINES = 30


class TerminalOperator:
    """Implements the port `Operator`. While it asks, ``paused`` keeps all else from the terminal."""

    def __init__(self, paused: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._paused = paused

    def confirm(self, question: Question) -> bool | None:
        """Ask; None where there is no terminal."""
        if not has_terminal():
            return None
        with self._paused():
            return _ask(question)


def has_terminal() -> bool:
    """Tell whether there is a terminal at which a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_consent(prompt: str, *, option: str) -> bool:
    """Ask for consent; where there is no terminal, name the ``option`` that gives it, and go without."""
    if not has_terminal():
        click.echo(f"There is no terminal to ask at; {option} without asking.", err=True)
        return False
    try:
        return click.confirm(prompt, default=False, err=True)
    except click.Abort:
        return False


def _ask(question: Question) -> bool | None:
    if question.notes:
        click.echo("\n── from the release's author " + "─" * 40, err=True)
        click.echo(sanitize(question.notes, max_lines=_NOTES_LINES), err=True)
        click.echo("─" * 69, err=True)
    click.secho(f"\n{question.title}", bold=True, err=True)
    for line in question.lines:
        click.echo("\n".join(wrap(sanitize(line), indent=" " * 9)), err=True)
    try:
        return click.confirm(f"\n{question.prompt}", default=False, err=True)
    except click.Abort:
        return False
    except OSError:
        return None  # the terminal is gone
