"""Build the metrics of a plan, in the text format of Prometheus. Pure.

Written by hand: the page is plain text, and every run would have to import the library. A test reads it with the parser
of Prometheus.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.core.model.verdict import Verdict
from orchestrator.core.owners import Owner
from orchestrator.reports.report import RunReport

_PREFIX = "upgrade_orchestrator_"
_TOUCHED_NOTHING = (Verdict.UP_TO_DATE, Verdict.REFUSED)
_UPDATE = f"{_PREFIX}update_available"
_CHECKED = f"{_PREFIX}update_check_timestamp_seconds"
_SAMPLE = re.compile(rf"^({_UPDATE}|{_CHECKED}){{(plan=\"[^\n]*\")}} ([0-9.]+)$", re.MULTILINE)

Samples = Mapping[str, float]


@dataclass(frozen=True)
class Update:
    """The result of the last check for a newer release, and its time."""

    available: bool
    at: datetime


@dataclass(frozen=True)
class Metrics:
    """The values of the page; ``last`` is the newest run that has ended, None where there was none."""

    plan: str
    last: RunReport | None
    unfinished: bool
    backup_at: datetime | None
    update: Update | None


def render_metrics(metrics: Metrics) -> str:
    """Render the page. An unknown value has no sample, so that nobody takes it for a zero."""
    lines: list[str] = []
    for name, help_text, samples in _collect(metrics):
        if samples:
            lines += [f"# HELP {_PREFIX}{name} {help_text}", f"# TYPE {_PREFIX}{name} gauge"]
            lines += [f"{_PREFIX}{name}{{{labels}}} {value:.3f}" for labels, value in samples.items()]
    return "\n".join(lines) + "\n"


def read_update(text: str, plan: str) -> Update | None:
    """What an earlier page of the same plan says of releases."""
    found = {name: float(value) for name, labels, value in _SAMPLE.findall(text) if labels == _label(plan)}
    if _UPDATE not in found or _CHECKED not in found:
        return None
    return Update(bool(found[_UPDATE]), datetime.fromtimestamp(found[_CHECKED], UTC))


def judge_update(report: RunReport) -> Update | None:
    """What a run has shown of releases; None where it did not look for the newest one."""
    run = report.run
    if run.ended_at is None or run.request.get("version") or run.request.get("operation", "upgrade") != "upgrade":
        return None
    if run.verdict in (Verdict.UP_TO_DATE, Verdict.COMMITTED):
        return Update(available=False, at=run.ended_at)
    return Update(available=True, at=run.ended_at) if report.to_version else None


def _collect(metrics: Metrics) -> Iterator[tuple[str, str, Samples]]:
    plan = _label(metrics.plan)
    if metrics.last is not None:
        yield from _collect_run(plan, metrics.last)
    yield "run_unfinished", "1 while a run is at work or was cut off.", {plan: float(metrics.unfinished)}
    backup = {plan: metrics.backup_at.timestamp()} if metrics.backup_at else {}
    yield "backup_timestamp_seconds", "When the newest backup that was read back and proven was taken.", backup
    update, checked = metrics.update, {}
    if update is not None:
        checked = {plan: update.at.timestamp()}
        yield "update_available", "1 if there was a newer release at the last look.", {plan: float(update.available)}
    yield "update_check_timestamp_seconds", "When releases were last looked at.", checked


def _collect_run(plan: str, report: RunReport) -> Iterator[tuple[str, str, Samples]]:
    run = report.run
    verdicts = {f'{plan},verdict="{verdict.value}"': float(verdict is run.verdict) for verdict in Verdict}
    yield "run_verdict", "How the newest run that is over has ended: 1 for its verdict, 0 for the others.", verdicts
    owner = report.failure.owner if report.failure else None
    owners = {f'{plan},owner="{each.value}"': float(each is owner) for each in Owner} if owner else {}
    yield "run_failure", "Whose the failure of that run is: 1 for its owner, 0 for the others.", owners
    if run.ended_at is not None:
        yield "run_end_timestamp_seconds", "When that run ended.", {plan: run.ended_at.timestamp()}
        yield (
            "run_duration_seconds",
            "How long that run took.",
            {plan: max(0.0, (run.ended_at - run.began_at).total_seconds())},
        )
    outage = 0.0 if report.outage_s is None and run.verdict in _TOUCHED_NOTHING else report.outage_s
    outages = {} if outage is None else {plan: outage}
    yield "run_outage_seconds", "How long the app was away in that run; none where it did not come back.", outages


def _label(plan: str) -> str:
    return f'plan="{plan}"'  # the name of a plan has no character that would need escaping
