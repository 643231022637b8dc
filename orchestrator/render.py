"""What a person reads. No decisions: values in, lines out; all foreign text is made inert here."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from typing import TextIO

import click

from orchestrator.errors import OrchestratorError, PlanError
from orchestrator.facts import Receipt
from orchestrator.inert import make_inert
from orchestrator.journal import Run
from orchestrator.model import Progress, Question, Verdict
from orchestrator.records import BackupCheck, KeptDatabase
from orchestrator.report import RunReport
from orchestrator.resume import How, Move
from orchestrator.service import DryState, SilentListener

_MARKS = {"done": "✓", "newer": "✓", "accepted": "✓", "current": "✓"}
_COLOURS = {
    Verdict.COMMITTED: "green",
    Verdict.UP_TO_DATE: "green",
    Verdict.REFUSED: "yellow",
    Verdict.ROLLED_BACK: "yellow",
    Verdict.NEEDS_OPERATOR: "red",
    Verdict.INTERNAL_ERROR: "red",
}
_NOTES_LINES = 30
_COLUMNS = 80
_WRAP = 66  # beside the name of a state in 80 columns


class LineListener(SilentListener):
    """One line a state, as it ends; on a terminal one more line that shows how far the present one is."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()

    def entered(self, state: str, kind: str) -> None:
        """A state begins."""
        self._redraw(f"… {state}")

    def progressed(self, state: str, progress: Progress) -> None:
        """How far it is."""
        self._redraw(f"… {state}  {make_inert(progress.label)} {format_progress(progress)}")

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None:
        """It is over."""
        self._redraw("")
        first, *rest = make_inert(reason).splitlines() or [""]
        mark = _MARKS.get(outcome, "✗")
        click.echo(f"{mark} {state:<12} {outcome:<9} {seconds:7.2f} s  {first}".rstrip(), file=self._stream)
        for line in rest:
            click.echo(f"    │ {line}", file=self._stream)

    def _redraw(self, text: str) -> None:
        if self._live:
            self._stream.write(f"\r\x1b[2K{text[:78]}")
            self._stream.flush()


class TerminalOperator:
    """The person at the terminal. Implements `orchestrator.ports.Operator`."""

    def confirm(self, question: Question) -> bool | None:
        """Ask; None where there is no terminal."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        if question.notes:
            click.echo("\n── from the release's author " + "─" * 40, err=True)
            click.echo(make_inert(question.notes, max_lines=_NOTES_LINES), err=True)
            click.echo("─" * 69, err=True)
        click.secho(f"\n{question.title}", bold=True, err=True)
        for line in question.lines:
            click.echo("\n".join(_wrapped(make_inert(line), indent=" " * 9)), err=True)
        try:
            return click.confirm(f"\n{question.prompt}", default=False, err=True)
        except click.Abort:
            return False
        except OSError:
            return None  # the terminal is gone


def format_progress(progress: Progress) -> str:
    """``12.3 of 45.6 MiB`` or ``3 of 7 tables``."""
    if progress.unit != "bytes":
        return f"{progress.done}{f' of {progress.total}' if progress.total is not None else ''} {progress.unit}"
    of = f" of {progress.total / 1024**2:.1f}" if progress.total is not None else ""
    return f"{progress.done / 1024**2:.1f}{of} MiB"


def render_report(report: RunReport) -> str:
    """What a person acts on: verdict, from → to, outage, what was kept, why, what next."""
    run = report.run
    verdict = run.verdict.value.replace("_", " ") if run.verdict else "unfinished"
    colour = _COLOURS[run.verdict] if run.verdict else "red"
    lines = [click.style(f"{verdict.upper()}", fg=colour, bold=True) + f"  {_story(report)}"]
    if run.reason and run.verdict is not Verdict.COMMITTED:
        lines.append(f"  why       {_indented(run.reason)}")
    if report.stuck:
        lines.append(f"  stuck     {report.stuck.state}: {_indented(report.stuck.reason)}")
    if report.outage_s is not None:
        lines.append(f"  outage    {report.outage_s:.1f} s")
    if report.backup:
        lines.append(f"  backup    {report.backup.path}")
    if report.snapshot:
        lines.append(f"  snapshot  database {report.snapshot}, the data as it was before the upgrade")
    lines += [f"  data      {report.way_back}"] if report.way_back else []
    lines += [f"  kept      database {name}, the data of the version that failed" for name in report.quarantine]
    lines += [f"  note      {_indented(note)}" for note in report.notes]
    lines.append(f"  run       {run.id}  (orchestrator show {run.id})")
    for number, step in enumerate(report.next_steps, 1):
        lines.append(f"  {'next' if number == 1 else '':<8}  {number}. {step}")
    return "\n".join(lines)


def _indented(text: str) -> str:
    return make_inert(text).replace("\n", "\n" + " " * 12)


def render_states(report: RunReport) -> str:
    """One line a visited state."""
    return "\n".join(
        f"  {line.state:<12} {line.outcome:<9} {line.seconds:8.2f} s  {_first_line(line.reason)}".rstrip()
        for line in report.states
    )


def render_history(reports: Sequence[RunReport]) -> str:
    """One line a run, newest first."""
    return "\n".join(
        f"{r.run.id}  {r.run.began_at:%Y-%m-%d %H:%M:%S}"
        f"  {(r.run.verdict.value if r.run.verdict else 'unfinished'):<14}"
        f"  {r.from_version or '?'} → {r.to_version or '?'}"
        for r in reports
    )


def render_dry_run(states: Sequence[DryState]) -> str:
    """One line a state with what it would do; what stands in the way under it."""
    lines: list[str] = []
    for state in states:
        told = [line for text in state.does for line in _wrapped(make_inert(text), width=_WRAP)]
        problem = _wrapped(f"✗ {make_inert(state.problem)}", width=_WRAP) if state.problem else []
        for number, text in enumerate([*told, *problem]):
            lines.append(_beside("" if number else state.name, text, colour="red" if number >= len(told) else None))
    return "\n".join(lines)


def render_receipts(receipts: Sequence[Receipt]) -> str:
    """One line a backup, newest first."""
    return "\n".join(
        f"{r.path.name}  {r.size_bytes / 1024**2:9.1f} MiB  {sum(r.rows.values()):>10} rows  sha256 {r.sha256[:16]}…"
        for r in receipts
    )


def render_move(run: Run, move: Move) -> str:
    """What was found of a run that was cut off, and what follows."""
    deeds = {
        How.ENTER: f"{move.state} is done again" if "before" not in move.found else f"it goes on with {move.state}",
        How.FOLLOW: f"{move.state} is left as {move.outcome}",
        How.SALVAGE: f"what {move.state} has left at work is ended, then it is judged",
        How.ABANDON: "it ends; nothing was touched",
        How.GIVE_UP: "it ends here, for its operator",
    }
    return f"Run {run.id}: {move.found} Next: {deeds[move.how]}. {move.reason}"


def render_quarantines(kept: Sequence[KeptDatabase]) -> str:
    """One line a database in quarantine, newest first."""
    return "\n".join(
        f"{one.run_id}  {one.since:%Y-%m-%d %H:%M}  {_mib(one.size_bytes):>12}  {one.database}" for one in kept
    )


def render_checks(checks: Sequence[BackupCheck]) -> str:
    """One line a backup that was read back."""
    return "\n".join(f"{'✗' if c.problem else '✓'} {c.receipt.path.name}  {c.problem or 'as proven'}" for c in checks)


def render_error(error: OrchestratorError) -> str:
    """What happened, what it means, what to do; for a plan one line a problem."""
    lines = [click.style("error: ", fg="red", bold=True) + make_inert(error.what)]
    if isinstance(error, PlanError):
        lines += [f"  {make_inert(problem)}" for problem in error.problems]
    lines += [make_inert(text) for text in (error.meaning, error.hint) if text]
    return "\n".join(lines)


def _beside(name: str, text: str, *, colour: str | None) -> str:
    # A word that is wider than its column moves left: it is not cut, and the line still fits if it can at all.
    if len(text) <= _WRAP:
        return f"  {name:<11} {click.style(text, fg=colour)}"
    return (f"  {name}\n" if name else "") + click.style(f"{text:>{_COLUMNS}}", fg=colour)


def _wrapped(text: str, *, width: int = _COLUMNS, indent: str = "") -> list[str]:
    # Names are never cut: a person may want to copy them.
    first = indent[:2]
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _mib(size_bytes: int | None) -> str:
    return "size unknown" if size_bytes is None else f"{size_bytes / 1024**2:.1f} MiB"


def _first_line(text: str) -> str:
    return (make_inert(text).splitlines() or [""])[0]


def _story(report: RunReport) -> str:
    if report.run.verdict is Verdict.UP_TO_DATE:
        return f"{report.from_version} is the newest release"
    if report.from_version is None:
        return "nothing was touched"
    arrow = f"{report.from_version} → {report.to_version}" if report.to_version else report.from_version
    serves = {
        Verdict.COMMITTED: f"{report.to_version} serves",
        Verdict.REFUSED: f"{report.from_version} serves; nothing was touched",
        Verdict.ROLLED_BACK: f"{report.from_version} serves",
    }
    return f"{arrow}: {serves[report.run.verdict]}" if report.run.verdict in serves else arrow
