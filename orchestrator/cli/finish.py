"""A run from its start to its end: shown while it goes on, printed and notified once it is over."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

import click

from orchestrator.cli.signals import handled

if TYPE_CHECKING:
    from orchestrator.cli.run_display import RunSession
    from orchestrator.reports.report import RunReport
    from orchestrator.run.listener import Listener
    from orchestrator.run.recovery import Takeover
    from orchestrator.run.service import Service


class _EnoughError(Exception):
    """Somebody does not want to wait any longer."""


def run_shown(session: RunSession, way: Service | Takeover, start: Callable[[Listener], RunReport | None]) -> int:
    """Start a run, show it and print how it ended; the exit code of the command."""
    with session.watching(way.interruption) as display:
        report = start(display)
    if report is None:
        return session.print_nothing("No run is unfinished; nothing was done.")
    return tell_end(session, way, report)


def tell_end(session: RunSession, way: Service | Takeover, report: RunReport) -> int:
    """Print how a run ended, and notify whom the plan names; the run's exit code, whatever becomes of that."""
    from orchestrator.run.finish import notify_end

    exit_code = session.print_end(report)
    try:
        # The run is over, so no signal means it any more: what would end the process now would change its exit code.
        with handled({signal.SIGINT: _stop, signal.SIGTERM: _stop}):
            problems = notify_end(way.plan, way.ports, report)
    except _EnoughError:
        problems = ("A signal came before everybody was notified.",)
    for problem in problems:
        click.echo(f"note: {problem}", err=True)
    return exit_code


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _EnoughError
