"""What a person reads. No decisions: values in, lines out; all foreign text is made inert here."""

from collections.abc import Sequence

import click

from orchestrator.core.errors import OrchestratorError, PlanError
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.store_facts import BackupManifest
from orchestrator.journal.journal import Run
from orchestrator.live.formatting import wrap
from orchestrator.machine.resume import How, ResumeAction
from orchestrator.redaction.terminal_text import sanitize
from orchestrator.reports.report import RunReport
from orchestrator.reports.support import SupportFile, tell_size
from orchestrator.run.past_runs import BackupCheck, KeptDatabase
from orchestrator.run.service import DryState

_COLOURS = {
    Verdict.COMMITTED: "green",
    Verdict.UP_TO_DATE: "green",
    Verdict.REFUSED: "yellow",
    Verdict.ROLLED_BACK: "yellow",
    Verdict.NEEDS_OPERATOR: "red",
    Verdict.INTERNAL_ERROR: "red",
}
_COLUMNS = 80
_INDENT = 12
_LEAST = 20
_PASTED = 8000  # a line of a runbook is pasted as it stands: cut, it would do half of what it says
_LOG_LINES = 20
_WRAP = 66  # beside the name of a state in 80 columns


def render_report(report: RunReport, columns: int | None = None) -> str:
    """What a person acts on: verdict, from → to, outage, what was kept, why, what next.

    ``columns``: the width of the terminal that it is for; None where lines may be of any length.
    """
    run = report.run
    verdict = run.verdict.value.replace("_", " ") if run.verdict else "unfinished"
    colour = _COLOURS[run.verdict] if run.verdict else "red"
    lines = [click.style(f"{verdict.upper()}", fg=colour, bold=True) + f"  {_story(report)}"]
    for name, text in [*_why(report), *_kept(report), *(("note", sanitize(note)) for note in report.notes)]:
        lines += _entry(name, text, columns)
    lines.append(f"  run       {run.id}  (orchestrator show {run.id})")
    for number, step in enumerate(report.next_steps, 1):
        lines.append(f"  {'next' if number == 1 else '':<8}  {number}. {step}")
    return "\n".join(lines)


def _why(report: RunReport) -> list[tuple[str, str]]:
    run, failure = report.run, report.failure
    if run.verdict is Verdict.COMMITTED:
        return []
    cause, *words = sanitize(run.reason).split("\n")
    if not cause and failure:  # a run that is not over yet, or was cut off
        cause, words = f"{failure.state}: {sanitize(failure.cause)}", list(map(sanitize, failure.words))
    entries = [("why", cause)] if cause else []
    if words:
        entries.append(("log", "\n".join(f"│ {word}" for word in words[-_LOG_LINES:])))
    if report.stuck:
        entries.append(("stuck", f"{report.stuck.state}: {sanitize(report.stuck.reason)}"))
    return entries


def _kept(report: RunReport) -> list[tuple[str, str]]:
    entries = []
    if report.outage_s is not None:
        entries.append(("outage", f"{report.outage_s:.1f} s"))
    if report.down_since is not None:
        since = f"{report.down_since:%Y-%m-%d %H:%M:%S} UTC"
        entries.append(("outage", f"since {since}; no version was seen to serve again"))
    if report.backup:
        entries.append(("backup", str(report.backup.path)))
    if report.snapshot:
        entries.append(("snapshot", f"database {report.snapshot}, the data as it was before the upgrade"))
    entries += [("data", report.way_back)] if report.way_back else []
    whose = "that was replaced" if report.run.verdict is Verdict.COMMITTED else "of the version that failed"
    return entries + [("kept", f"database {name}, the data {whose}") for name in report.quarantine]


# Log lines stay as they are; names are never cut, for a person may want to copy them.
def _entry(name: str, text: str, columns: int | None) -> list[str]:
    lines = text.split("\n")
    if columns is not None and not text.startswith("│"):
        lines = [part for line in lines for part in wrap(line, width=max(_LEAST, columns - _INDENT)) or [""]]
    return [f"  {name:<8}  {lines[0]}".rstrip(), *(f"{'':{_INDENT}}{line}" for line in lines[1:])]


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
        told = [line for text in state.does for line in wrap(sanitize(text), width=_WRAP)]
        problem = wrap(f"✗ {sanitize(state.problem)}", width=_WRAP) if state.problem else []
        for number, text in enumerate([*told, *problem]):
            lines.append(_beside("" if number else state.name, text, colour="red" if number >= len(told) else None))
    return "\n".join(lines)


def render_receipts(receipts: Sequence[BackupManifest]) -> str:
    """One line a backup, newest first."""
    return "\n".join(
        f"{r.path.name}  {r.size_bytes / 1024**2:9.1f} MiB  {sum(r.rows.values()):>10} rows  sha256 {r.sha256[:16]}…"
        for r in receipts
    )


def render_move(run: Run, move: ResumeAction) -> str:
    """What was found of a run that was cut off, and what follows."""
    deeds = {
        How.ENTER: f"{move.state} is done again" if "before" not in move.found else f"it goes on with {move.state}",
        How.FOLLOW: f"{move.state} is left as {move.outcome}",
        How.RECONCILE: f"what {move.state} has left at work is ended, then it is judged",
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


def render_support(written: SupportFile) -> str:
    """What is in a support file, one line each; what is missing under its name."""
    lines = [f"  {one.name:<34} {tell_size(one):<24}  {one.remark}".rstrip() for one in written.entries]
    note = "Secrets are masked, but what the app logs is in it: look through it before you pass it on."
    return "\n".join([f"Wrote {written.path}", *lines, note])


def render_error(error: OrchestratorError) -> str:
    """What happened, what it means, what to do; for a plan one line a problem."""
    lines = [click.style("error: ", fg="red", bold=True) + sanitize(error.summary)]
    if isinstance(error, PlanError):
        lines += [f"  {sanitize(problem)}" for problem in error.problems]
    lines += [sanitize(text, max_width=_PASTED) for text in (error.impact, error.hint) if text]
    return "\n".join(lines)


def _beside(name: str, text: str, *, colour: str | None) -> str:
    # A word that is wider than its column moves left: it is not cut, and the line still fits if it can at all.
    if len(text) <= _WRAP:
        return f"  {name:<11} {click.style(text, fg=colour)}"
    return (f"  {name}\n" if name else "") + click.style(f"{text:>{_COLUMNS}}", fg=colour)


def _mib(size_bytes: int | None) -> str:
    return "size unknown" if size_bytes is None else f"{size_bytes / 1024**2:.1f} MiB"


def _first_line(text: str) -> str:
    return (sanitize(text).splitlines() or [""])[0]


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
