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
    from orchestrator.doctor.findings import Finding

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red"), "skipped": ("·", None)}
_WIDTH = 17


@main.command()
@plan_argument
@json_option
def doctor(plan: Path | None, as_json: bool) -> None:
    """Try every precondition of an upgrade.

    Each check is one line, with the command that mends it where it failed. Nothing of the app is changed; an empty
    database and a scratch server are made for the trial, and removed. Exit code 0 if an upgrade can be begun, else 10.

    \b
    orchestrator doctor upgrade.yaml
    orchestrator doctor upgrade.yaml --json
    """
    from orchestrator.doctor.check_runner import examine
    from orchestrator.doctor.findings import EXIT_ILL, is_healthy, to_document
    from orchestrator.live.operator import TerminalOperator
    from orchestrator.wiring import build_surgery

    with boundary(as_json), tempfile.TemporaryDirectory(prefix="orchestrator-doctor-") as folder:
        surgery = build_surgery(find_plan(plan), TerminalOperator(), Path(folder))
        findings = []
        for finding in examine(surgery.plan, surgery.ports.recovery, surgery.checks()):
            findings.append(finding)
            if not as_json:
                _print(finding)
        click.echo(json.dumps(to_document(findings)) if as_json else _sum_up(findings))
        sys.exit(0 if is_healthy(findings) else EXIT_ILL)


def _print(finding: Finding) -> None:
    from orchestrator.redaction.terminal_text import sanitize

    mark, colour = _MARKS[finding.status.value]
    first, *rest = sanitize(finding.what).splitlines() or [""]
    click.echo(f"{click.style(mark, fg=colour)} {finding.name:<{_WIDTH}} {first}")
    for line in (*rest, *filter(None, [finding.advice])):
        click.echo(f"  {'':<{_WIDTH}} {sanitize(line)}")
    if finding.mend:
        click.echo(f"  {'':<{_WIDTH}} $ {finding.mend}")


def _sum_up(findings: list[Finding]) -> str:
    counted = {status: sum(finding.status.value == status for finding in findings) for status in _MARKS}
    told = ", ".join(f"{number} {status}" for status, number in counted.items() if number)
    return f"\n{len(findings)} checks: {told}"
