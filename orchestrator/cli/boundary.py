"""What every command shares: its options, its plan, and the one place where errors become words."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrator.cli.plan_path import find_plan, trust_option
from orchestrator.cli.suggestions import find_plans, find_runs, find_versions, quietly

if TYPE_CHECKING:
    from orchestrator.core.errors import OrchestratorError
    from orchestrator.core.ports.operator import Operator
    from orchestrator.run.service import Service

EXIT_INTERNAL = 70

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def plan_argument(command: CommandT) -> CommandT:
    """The plan as an argument, and whose files are obeyed besides one's own."""
    argument = click.argument(
        "plan", type=click.Path(path_type=Path), required=False, shell_complete=quietly(find_plans)
    )
    return argument(trust_option(command))


def plan_option(command: CommandT) -> CommandT:
    """The plan as an option, and whose files are obeyed besides one's own."""
    option = click.option(
        "--plan",
        type=click.Path(path_type=Path),
        help="The plan; default: upgrade.yaml here.",
        shell_complete=quietly(find_plans),
        is_eager=True,  # what is completed in front of it is looked up by it
    )
    return option(trust_option(command))


run_argument = click.argument("run_id", metavar="RUN", shell_complete=quietly(find_runs))
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
version_option = click.option(
    "--version",
    "version",
    metavar="V",
    help="Go to this release instead of the newest.",
    shell_complete=quietly(find_versions),
)
prerelease_option = click.option("--prerelease", is_flag=True, help="Consider pre-releases too.")


def open_service(plan: Path | None, operator: Operator | None = None) -> Service:
    """The service on a plan; contacts nobody yet. Raises `PlanError`, `UsageError`."""
    from orchestrator.live.operator import TerminalOperator
    from orchestrator.wiring import build_service

    return build_service(find_plan(plan), operator or TerminalOperator())


@contextmanager
def boundary(as_json: bool, *, as_lines: bool = False) -> Iterator[None]:
    """The only place where errors become words and exit codes; ``as_lines`` makes them the last of many events."""
    from orchestrator.core.errors import OrchestratorError

    try:
        yield
    except OrchestratorError as error:
        _print_error(error, as_json, as_lines)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("Interrupted; nothing was touched.", err=True)
        sys.exit(128 + signal.SIGINT)
    except Exception as error:  # the boundary: an operator gets a sentence, not a traceback
        if os.environ.get("ORCHESTRATOR_DEBUG"):
            raise
        from orchestrator.redaction.redactor import PROCESS_MASK

        told = PROCESS_MASK.text(str(error))
        click.echo(
            f"internal error: {type(error).__name__}: {told}\nThis is a bug. The run stopped where it was; if one was"
            " at work, `orchestrator status` shows where, and `orchestrator run` prints how to bring the old version"
            " back. Run again with ORCHESTRATOR_DEBUG=1 to see the traceback.",
            err=True,
        )
        sys.exit(EXIT_INTERNAL)


def _print_error(error: OrchestratorError, as_json: bool, as_lines: bool) -> None:
    from orchestrator.cli import render
    from orchestrator.redaction.redactor import PROCESS_MASK

    if as_json or as_lines:
        click.echo(json.dumps(PROCESS_MASK.document(build_error_document(error, as_event=as_lines))))
    else:
        click.echo(PROCESS_MASK.text(render.render_error(error)), err=True)


def build_error_document(error: OrchestratorError, *, as_event: bool = False) -> dict[str, object]:
    """What ``--json`` prints in place of a report; ``--json-lines`` as its last event."""
    return {
        "schema": 1,
        **({"event": "error"} if as_event else {}),
        "error": {
            "code": error.code,
            "what": error.summary,
            "meaning": error.impact,
            "hint": error.hint,
            "problems": list(getattr(error, "problems", ())),
        },
        "exit_code": error.exit_code,
    }
