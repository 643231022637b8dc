"""The end of a run: its record, then a notification and a page for the monitoring.

Neither of the latter ever changes what a run does, or how it ended: what cannot be sent or written is in the log.
"""

import socket
from contextlib import closing, nullcontext

from orchestrator.core.errors import JournalError, StateError
from orchestrator.core.log import warn
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.ports.recovery import Recovery
from orchestrator.core.state_kind import Ports
from orchestrator.journal.history import JournalHistory
from orchestrator.journal.journal import Journal
from orchestrator.plan.schema import Plan
from orchestrator.reports.metrics import Metrics, Update, judge_update, read_update, render_metrics
from orchestrator.reports.notifications import build_notice
from orchestrator.reports.report import RunReport, build_report, choose_exit_code
from orchestrator.run.drift import note_drift_at_end, note_edits_at_end
from orchestrator.run.past_runs import read_report
from orchestrator.run.runner import Ending


def finish_run(
    journal: Journal, run_id: str, ending: Ending, plan: Plan, ports: Ports, signal: int | None
) -> RunReport:
    """Note what was edited while the run was at work, and record its end; ``signal`` is the one that ended it."""
    note_edits_at_end(journal, run_id, ending.verdict, plan, ports)
    note_drift_at_end(journal, run_id, ending.verdict, plan, ports)
    return record_end(journal, run_id, ending, plan, ports, signal)


def record_end(
    journal: Journal, run_id: str, ending: Ending, plan: Plan, ports: Ports, signal: int | None = None
) -> RunReport:
    """Record the end of a run, write the metrics and build the report."""
    exit_code = choose_exit_code(ending.verdict, signal)
    journal.end(run_id, ports.clock.now(), ending.verdict, ending.state, exit_code, ending.reason)
    publish_metrics(plan, ports, journal)
    return read_report(journal, run_id, ports.recovery)


def notify_end(plan: Plan, ports: Ports, report: RunReport) -> tuple[str, ...]:
    """Tell how a run has ended, once its end is durable; what did not work, one sentence each."""
    if plan.notify is None or ports.notifier is None or report.run.verdict is None:
        return ()
    if report.run.verdict.value not in plan.notify.verdicts and report.run.verdict is not Verdict.INTERNAL_ERROR:
        return ()
    notice = build_notice(report, socket.gethostname())
    return ports.notifier.send(notice, timeout_s=plan.notify.timeout_s)


def publish_metrics(plan: Plan, ports: Ports, journal: Journal | None, update: Update | None = None) -> None:
    """Write the page of a plan's metrics anew; ``update`` is what was just seen of releases, if they were looked at."""
    if ports.metrics is None:
        return
    try:
        known = update or read_update(ports.metrics.read(), plan.name)
        ports.metrics.write(render_metrics(_collect(plan, ports.recovery, journal, known)))
    except (StateError, JournalError) as error:
        warn("metrics.not_written", reason=error.summary)


def publish_check(plan: Plan, ports: Ports, *, newer: bool) -> None:
    """Write what was just seen of releases."""
    if ports.metrics is None:
        return
    update = Update(newer, ports.clock.now())
    try:
        journal = Journal.open_existing(plan.journal_directory)
    except JournalError as error:
        warn("metrics.not_written", reason=error.summary)
        return
    with closing(journal) if journal else nullcontext():
        publish_metrics(plan, ports, journal, update)


def _collect(plan: Plan, recovery: Recovery, journal: Journal | None, update: Update | None) -> Metrics:
    if journal is None:
        return Metrics(plan.name, last=None, unfinished=False, backup_at=None, update=update)
    ended = next((run for run in journal.runs() if run.verdict is not None), None)
    last = build_report(ended, journal.records(ended.id), recovery) if ended else None
    receipts = JournalHistory(journal).receipts()
    updates = (update, judge_update(last) if last else None)
    return Metrics(
        plan=plan.name,
        last=last,
        unfinished=journal.find_unfinished() is not None,
        backup_at=receipts[0].taken_at if receipts else None,
        update=max(filter(None, updates), key=lambda one: one.at, default=None),
    )
