"""Build the notification about the end of a run, for people who are not at the terminal. Pure.

The log lines of the app's containers stay on this host: of a reason, only the first line is sent.
"""

from orchestrator.core.model.notices import Notice, NoticeLevel
from orchestrator.core.model.verdict import Verdict
from orchestrator.redaction.terminal_text import sanitize
from orchestrator.reports.report import RunReport

_LEVELS = {
    Verdict.COMMITTED: NoticeLevel.SUCCESS,
    Verdict.UP_TO_DATE: NoticeLevel.SUCCESS,
    Verdict.REFUSED: NoticeLevel.WARNING,
    Verdict.ROLLED_BACK: NoticeLevel.WARNING,
}
_WIDTH = 300


def build_notice(report: RunReport, host: str) -> Notice:
    """Build the notice of a run that has ended on ``host``."""
    run = report.run
    word = run.verdict.value.replace("_", " ") if run.verdict else "unfinished"
    lines = [f"{_tell_versions(report)}on {host}"]
    if run.reason and run.verdict is not Verdict.COMMITTED:
        lines.append(sanitize(run.reason.splitlines()[0], max_lines=1, max_width=_WIDTH))
    if report.outage_s is not None:
        lines.append(f"The app was away for {report.outage_s:.1f} s.")
    if run.verdict in (Verdict.REFUSED, Verdict.ROLLED_BACK) and report.failure and report.failure.owner:
        lines += report.next_steps
    if run.verdict is Verdict.NEEDS_OPERATOR:
        lines.append("Somebody must look after it now: the app may be down.")
    lines.append(f"orchestrator show {run.id}")
    level = _LEVELS.get(run.verdict, NoticeLevel.FAILURE) if run.verdict else NoticeLevel.FAILURE
    return Notice(title=f"{run.plan_name}: {word}", body="\n".join(lines), level=level)


def _tell_versions(report: RunReport) -> str:
    known = [version for version in (report.from_version, report.to_version) if version]
    return f"{' → '.join(known)} " if known else ""
