"""How much a command that runs something prints while it runs, and in which form."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrator.cli.boundary import EXIT_INTERNAL, boundary, json_option
from orchestrator.cli.signals import signals

if TYPE_CHECKING:
    from orchestrator.core.deadline import Interruption
    from orchestrator.core.ports.operator import Operator
    from orchestrator.live.display import ProgressDisplay
    from orchestrator.reports.report import RunReport

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


@dataclass(frozen=True)
class Output:
    """What the options of `output_options` say; ``as_lines`` is JSON too, one document a line."""

    as_json: bool = False
    as_lines: bool = False
    quiet: bool = False
    verbose: bool = False


def output_options(command: CommandT) -> CommandT:
    """The options of every command that runs something; `Output` is made of them."""
    options = (
        json_option,
        click.option("--json-lines", "as_lines", is_flag=True, help="Print one JSON document a line as it runs."),
        click.option("-q", "--quiet", is_flag=True, help="Tell only how it ended."),
        click.option("-v", "--verbose", is_flag=True, help="Tell every step, and what is said in containers."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True)
class RunSession:
    """The display of one command, and the operator who is asked without disturbing it."""

    output: Output
    display: ProgressDisplay
    operator: Operator

    @contextmanager
    def watching(self, interruption: Interruption) -> Iterator[ProgressDisplay]:
        """Show the run while it goes on, with signals handled; no drawing is left at the end."""
        as_json, as_lines, notice = self.output.as_json, self.output.as_lines, self.display.notice
        with signals(interruption, as_json, notice, as_lines=as_lines), self.display.shown():
            yield self.display

    def print_end(self, report: RunReport) -> int:
        """Print how a run ended; its exit code."""
        from orchestrator.cli import render

        if self.output.as_lines:
            from orchestrator.live.events import build_event

            click.echo(json.dumps(build_event("ended", report=report.to_json())))
        elif self.output.as_json:
            click.echo(json.dumps(report.to_json()))
        else:
            apart = "" if self.output.quiet else "\n"
            click.echo(apart + render.render_report(report, find_columns()))
        return report.run.exit_code if report.run.exit_code is not None else EXIT_INTERNAL

    def print_nothing(self, text: str) -> int:
        """Say that there was nothing to do; the exit code of that."""
        event = {"event": "ended", "report": None} if self.output.as_lines else {"run": None}
        as_json = self.output.as_json or self.output.as_lines
        click.echo(json.dumps({"schema": 1, **event}) if as_json else text)
        return 0


@contextmanager
def open_session(output: Output) -> Iterator[RunSession]:
    """Open the session of a command that runs something, within the boundary that reports its errors."""
    from orchestrator.live.operator import TerminalOperator

    with boundary(output.as_json, as_lines=output.as_lines):
        display = choose_display(output)
        yield RunSession(output, display, TerminalOperator(display.paused))


def choose_display(output: Output) -> ProgressDisplay:
    """Choose events where they were asked for, a drawing on a terminal that can be drawn on, lines anywhere else."""
    from orchestrator.adapters.host.system_clock import SystemClock
    from orchestrator.live.display import ProgressDisplay
    from orchestrator.live.plain import LineDisplay

    if output.as_lines:
        from orchestrator.live.events import EventDisplay

        return EventDisplay(sys.stdout, SystemClock())
    if output.quiet:
        return ProgressDisplay()
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") in ("", "dumb", "unknown"):
        return LineDisplay(sys.stderr, verbose=output.verbose)

    from orchestrator.live.screen import ScreenDisplay, build_console

    return ScreenDisplay(build_console(sys.stderr, os.environ), SystemClock(), verbose=output.verbose)


def find_columns() -> int | None:
    """The width of the terminal that stdout is; None where it is none."""
    if not sys.stdout.isatty():
        return None
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except OSError:
        return None
