"""The command that tries every precondition."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.boundary import boundary, json_option, plan_argument
from orchestrator.cli.group import main
from orchestrator.cli.plan_path import find_plan

if TYPE_CHECKING:
    from orchestrator.doctor.check_runner import CheckResult

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red"), "skipped": ("·", None)}
_WIDTH = 17


@main.command()
@plan_argument
@json_option
def doctor(plan: Path | None, as_json: bool) -> None:
    """Try every precondition of an upgrade.

    Each check is one line, with the command that fixes it where it failed. Nothing of the app is changed; an empty
    database and a scratch server are made for the trial, and removed. Exit code 0 if an upgrade can be begun, else 10.

    \b
    orchestrator doctor upgrade.yaml
    orchestrator doctor upgrade.yaml --json
    """
    from orchestrator.doctor.check_runner import EXIT_UNHEALTHY, is_healthy, run_checks, to_document
    from orchestrator.live.operator import TerminalOperator
    from orchestrator.wiring import build_live_checks

    with boundary(as_json), tempfile.TemporaryDirectory(prefix="orchestrator-doctor-") as folder:
        live_checks = build_live_checks(find_plan(plan), TerminalOperator(), Path(folder))
        results = []
        for result in run_checks(live_checks.plan, live_checks.ports.recovery, live_checks.checks()):
            results.append(result)
            if not as_json:
                _print(result)
        click.echo(json.dumps(to_document(results)) if as_json else _sum_up(results))
        sys.exit(0 if is_healthy(results) else EXIT_UNHEALTHY)


def _print(result: CheckResult) -> None:
    from orchestrator.redaction.terminal_text import sanitize

    mark, colour = _MARKS[result.status.value]
    first, *rest = sanitize(result.summary).splitlines() or [""]
    click.echo(f"{click.style(mark, fg=colour)} {result.name:<{_WIDTH}} {first}")
    for line in (*rest, *filter(None, [result.advice])):
        click.echo(f"  {'':<{_WIDTH}} {sanitize(line)}")
    if result.remedy:
        click.echo(f"  {'':<{_WIDTH}} $ {result.remedy}")


def _sum_up(results: list[CheckResult]) -> str:
    counted = {status: sum(result.status.value == status for result in results) for status in _MARKS}
    told = ", ".join(f"{number} {status}" for status, number in counted.items() if number)
    return f"\n{len(results)} checks: {told}"
