"""The command line: thin commands over the service, one error boundary, exit codes that scripts can rely on."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from orchestrator.deadline import Interruption
    from orchestrator.errors import OrchestratorError
    from orchestrator.service import Service

EXIT_INTERNAL = 70
EXIT_NEWER = 100
_DEFAULT_PLANS = ("upgrade.yaml", "plans/upgrade.yaml")

plan_argument = click.argument("plan", type=click.Path(path_type=Path), required=False)
plan_option = click.option("--plan", type=click.Path(path_type=Path), help="The plan; default: upgrade.yaml here.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
version_option = click.option("--version", "version", metavar="V", help="Go to this release instead of the newest.")
prerelease_option = click.option("--prerelease", is_flag=True, help="Consider pre-releases too.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "ORCHESTRATOR"})
@click.version_option(package_name="upgrade-orchestrator", prog_name="orchestrator")
@click.pass_context
def main(context: click.Context) -> None:
    """Upgrade a self-hosted app as a state machine that always finds its way back."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        context.color = False


@main.command()
@plan_argument
@click.option("--check", "only_check", is_flag=True, help="Only say whether there is a newer release (exit 100).")
@click.option("--force", is_flag=True, help="Do not ask.")
@version_option
@prerelease_option
@click.option("--allow-downgrade", is_flag=True, help="Let --version name an older release.")
@click.option("--dry-run", is_flag=True, help="Print the state graph and what each state would do; change nothing.")
@json_option
def run(
    plan: Path | None,
    only_check: bool,
    force: bool,
    version: str | None,
    prerelease: bool,
    allow_downgrade: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Upgrade: back up, stop, migrate, start, prove; or go back.

    \b
    orchestrator run upgrade.yaml
    orchestrator run upgrade.yaml --dry-run
    orchestrator run upgrade.yaml --version v1.2.3 --force
    """
    from orchestrator.releases import ReleaseRequest

    with _boundary(as_json):
        request = ReleaseRequest(version=version, prerelease=prerelease, allow_downgrade=allow_downgrade)
        service = _service(plan)
        if only_check:
            sys.exit(_print_check(service, request, as_json))
        if dry_run:
            sys.exit(_print_dry_run(service, request, force, as_json))
        sys.exit(_print_run(service, request, force, as_json))


@main.command()
@plan_argument
@version_option
@prerelease_option
@json_option
def check(plan: Path | None, version: str | None, prerelease: bool, as_json: bool) -> None:
    """Say whether there is a newer release: exit 100 if so, 0 if not."""
    from orchestrator.releases import ReleaseRequest

    with _boundary(as_json):
        sys.exit(_print_check(_service(plan), ReleaseRequest(version=version, prerelease=prerelease), as_json))


@main.command()
@plan_argument
@json_option
def lint(plan: Path | None, as_json: bool) -> None:
    """Check a plan without touching anything."""
    from orchestrator.wiring import read_plan

    with _boundary(as_json):
        found = read_plan(_plan_path(plan))
        if as_json:
            click.echo(json.dumps({"schema": 1, "plan": str(found.source), "problems": []}))
        else:
            click.echo(f"{found.source}: no problem in {len(found.states)} states and {len(found.ends)} ends")


@main.command()
@plan_argument
@click.option("--format", "style", type=click.Choice(["text", "mermaid", "dot"]), default="text", show_default=True)
def graph(plan: Path | None, style: str) -> None:
    """Draw the plan's states and transitions."""
    from orchestrator import graphs
    from orchestrator.wiring import read_plan

    draw: dict[str, Callable[[Any], str]] = {
        "text": graphs.render_text,
        "mermaid": graphs.render_mermaid,
        "dot": graphs.render_dot,
    }
    with _boundary(as_json=False):
        click.echo(draw[style](read_plan(_plan_path(plan))))


@main.command()
@plan_argument
@json_option
def status(plan: Path | None, as_json: bool) -> None:
    """Show the newest run: how far it is, or how it ended."""
    with _boundary(as_json):
        _print_report(_service(plan), None, as_json)


@main.command()
@click.argument("run_id", metavar="RUN")
@plan_option
@json_option
def show(run_id: str, plan: Path | None, as_json: bool) -> None:
    """Show one run: its states, its reason, what it has kept."""
    with _boundary(as_json):
        _print_report(_service(plan), run_id, as_json)


@main.command()
@plan_argument
@json_option
def history(plan: Path | None, as_json: bool) -> None:
    """List all runs, newest first."""
    from orchestrator import render

    with _boundary(as_json):
        reports = _service(plan).records.reports()
        if as_json:
            click.echo(json.dumps({"schema": 1, "runs": [report.to_json() for report in reports]}))
        else:
            click.echo(render.render_history(reports))


@main.command()
@click.argument("run_id", metavar="RUN")
@plan_option
@json_option
def close(run_id: str, plan: Path | None, as_json: bool) -> None:
    """Close a run that was cut off, after you have looked after the app by hand."""
    from orchestrator import render

    with _boundary(as_json):
        report = _service(plan).close(run_id)
        click.echo(json.dumps(report.to_json()) if as_json else render.render_report(report))


@main.group()
def backups() -> None:
    """List and verify backups."""


@backups.command("list")
@plan_argument
@json_option
def list_backups(plan: Path | None, as_json: bool) -> None:
    """List the proven backups that are kept, newest first."""
    from orchestrator import render

    with _boundary(as_json):
        receipts = _service(plan).records.receipts()
        if as_json:
            documents = [receipt.model_dump(mode="json") for receipt in receipts]
            click.echo(json.dumps({"schema": 1, "backups": documents}))
        else:
            click.echo(render.render_receipts(receipts) or "There is no proven backup yet.")


@backups.command("verify")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@plan_option
@json_option
def verify_backups(file: Path | None, plan: Path | None, as_json: bool) -> None:
    """Read backups back in full and compare them with what was proven; all of them without FILE."""
    from orchestrator import render

    with _boundary(as_json):
        checks = _service(plan).records.verify_backups(file, report=lambda _: None)
        if as_json:
            documents = [{"path": str(c.receipt.path), "problem": c.problem} for c in checks]
            click.echo(json.dumps({"schema": 1, "backups": documents}))
        else:
            click.echo(render.render_checks(checks) or "There is no proven backup yet.")
        sys.exit(10 if any(c.problem for c in checks) else 0)


def _print_run(service: Service, request: Any, force: bool, as_json: bool) -> int:
    from orchestrator import render

    with _signals(service.interruption):
        report = service.run(request, assume_yes=force, listener=render.LineListener(sys.stderr))
    click.echo(json.dumps(report.to_json()) if as_json else f"\n{render.render_report(report)}")
    return report.run.exit_code if report.run.exit_code is not None else EXIT_INTERNAL


def _print_check(service: Service, request: Any, as_json: bool) -> int:
    from orchestrator.inert import make_inert

    choice = service.check(request)
    target = choice.target
    if as_json:
        document = {
            "schema": 1,
            "current": choice.current.version.removeprefix("v"),
            "latest": target.release.version.removeprefix("v") if target else None,
            "updateAvailable": choice.newer,
            "releaseUrl": target.release.url if target else None,
        }
        click.echo(json.dumps(document))
    elif target is None:
        click.echo(f"{choice.current.version} is up to date.")
    else:
        click.echo(f"{choice.current.version} runs; {target.release.version} is available.")
        if target.release.notes:
            click.echo(make_inert(target.release.notes))
    return EXIT_NEWER if choice.newer else 0


def _print_dry_run(service: Service, request: Any, force: bool, as_json: bool) -> int:
    from orchestrator import graphs, render

    states = service.dry_run(request, assume_yes=force)
    if as_json:
        click.echo(json.dumps({"schema": 1, "states": [vars(state) for state in states]}))
    else:
        click.echo(graphs.render_text(service.plan))
        click.echo("\nwhat each state would do\n")
        click.echo(render.render_dry_run(states))
        click.echo("\nNothing was changed.")
    return 10 if any(state.problem for state in states) else 0


def _print_report(service: Service, run_id: str | None, as_json: bool) -> None:
    from orchestrator import render

    report = service.records.report(run_id) if run_id else service.records.reports()[0]
    if as_json:
        click.echo(json.dumps(report.to_json()))
    else:
        click.echo(render.render_report(report))
        click.echo(render.render_states(report))


def _service(plan: Path | None) -> Service:
    from orchestrator.render import TerminalOperator
    from orchestrator.wiring import build_service

    return build_service(_plan_path(plan), TerminalOperator())


def _plan_path(plan: Path | None) -> Path:
    from orchestrator.errors import UsageError

    if plan is not None:
        return plan
    named = os.environ.get("ORCHESTRATOR_PLAN")
    found = Path(named) if named else next((Path(p) for p in _DEFAULT_PLANS if Path(p).is_file()), None)
    if found is None:
        raise UsageError(
            "usage.no_plan",
            f"No plan was named, and neither {' nor '.join(_DEFAULT_PLANS)} is here.",
            meaning="Nothing was touched.",
            hint="Name it: `orchestrator run plans/upgrade.yaml`, or set ORCHESTRATOR_PLAN.",
        )
    return found


@contextmanager
def _signals(interruption: Interruption) -> Iterator[None]:
    """SIGINT and SIGTERM ask the current state to stop and take the way back; going back itself is not stopped."""

    def ask(number: int, _frame: object) -> None:
        if interruption.request(number):
            click.echo("\nInterrupted: the current state stops and its way back is taken.", err=True)
        else:
            click.echo("\nGoing back cannot be interrupted safely; it goes on to its end.", err=True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _boundary(as_json: bool) -> Iterator[None]:
    """The only place where errors become words and exit codes."""
    from orchestrator.errors import OrchestratorError

    try:
        yield
    except OrchestratorError as error:
        _print_error(error, as_json)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("Interrupted; nothing was touched.", err=True)
        sys.exit(128 + signal.SIGINT)
    except Exception as error:  # the boundary: an operator gets a sentence, not a traceback
        if os.environ.get("ORCHESTRATOR_DEBUG"):
            raise
        click.echo(
            f"internal error: {type(error).__name__}: {error}\nThis is a bug. The run stopped where it was; if one was"
            " at work, `orchestrator status` shows where, and `orchestrator run` prints how to bring the old version"
            " back. Run again with ORCHESTRATOR_DEBUG=1 to see the traceback.",
            err=True,
        )
        sys.exit(EXIT_INTERNAL)


def _print_error(error: OrchestratorError, as_json: bool) -> None:
    from orchestrator import render

    if as_json:
        document = {
            "schema": 1,
            "error": {
                "code": error.code,
                "what": error.what,
                "meaning": error.meaning,
                "hint": error.hint,
                "problems": list(getattr(error, "problems", ())),
            },
            "exit_code": error.exit_code,
        }
        click.echo(json.dumps(document))
    else:
        click.echo(render.render_error(error), err=True)


if __name__ == "__main__":
    main()
