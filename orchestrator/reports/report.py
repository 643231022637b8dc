"""The end of a run, for people and for programs: read from the journal alone, with the commands of the adapters."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.core.facts import Current, Facts, Serving, StoppedServices, TargetRelease
from orchestrator.core.model.verdict import EXIT_CODES, Verdict
from orchestrator.core.ports.recovery import Recovery
from orchestrator.core.state_kind import FAILED, TIMEOUT
from orchestrator.core.store_facts import BackupManifest, Quarantine, RollbackDecision, Snapshot
from orchestrator.journal.failures import Failure, choose_advice, find_failure
from orchestrator.journal.journal import Record, Run, join_facts
from orchestrator.reports.runbook import build_runbook


@dataclass(frozen=True)
class StateLine:
    """One visit of a state."""

    state: str
    kind: str
    outcome: str
    seconds: float
    reason: str


@dataclass(frozen=True)
class Outage:
    """The time in which users did not reach the app; ``ended_at`` is None until a version was seen to serve again."""

    began_at: datetime
    ended_at: datetime | None

    @property
    def seconds(self) -> float | None:
        """Its length; None until it is over."""
        if self.ended_at is None:
            return None
        return round(max(0.0, (self.ended_at - self.began_at).total_seconds()), 3)


@dataclass(frozen=True)
class RunReport:
    """The report of a run. ``outage_s`` is None where the app was never stopped, or has not come back.

    ``down_since`` is the time of the stop where no version was seen to serve since; ``failure`` is None where no state
    has failed. ``notes`` are sentences about files that were edited meanwhile and artifacts that were dropped.
    """

    run: Run
    from_version: str | None
    to_version: str | None
    outage_s: float | None
    down_since: datetime | None
    failure: Failure | None
    backup: BackupManifest | None
    snapshot: str | None
    quarantine: tuple[str, ...]
    way_back: str
    notes: tuple[str, ...]
    states: tuple[StateLine, ...]
    next_steps: tuple[str, ...]

    @property
    def stuck(self) -> StateLine | None:
        """The state on the way back that could not go on, where an operator is needed after another one had failed."""
        if self.run.verdict is not Verdict.NEEDS_OPERATOR or not self.states:
            return None
        last = self.states[-1]
        went_wrong = last.outcome in (FAILED, TIMEOUT)
        return last if went_wrong and last.reason != self.run.reason else None

    def to_json(self) -> dict[str, Any]:
        """The one document of ``run --json`` and ``show --json``."""
        run = self.run
        return {
            "schema": 1,
            "run": run.id,
            "verdict": run.verdict.value if run.verdict else None,
            "exit_code": run.exit_code,
            "from": self.from_version,
            "to": self.to_version,
            "reason": run.reason,
            "began_at": run.began_at.isoformat(),
            "ended_at": run.ended_at.isoformat() if run.ended_at else None,
            "outage_s": self.outage_s,
            "down_since": self.down_since.isoformat() if self.down_since else None,
            "failure": self.failure.to_json() if self.failure else None,
            "backup": self.backup.model_dump(mode="json") if self.backup else None,
            "snapshot": self.snapshot,
            "quarantine": list(self.quarantine),
            "way_back": self.way_back or None,
            "notes": list(self.notes),
            "states": [vars(line) for line in self.states],
            "next": list(self.next_steps),
        }


def choose_exit_code(verdict: Verdict, signal: int | None) -> int:
    """The exit code of a verdict; a run that was refused because a signal came first ends by that signal."""
    if verdict is Verdict.REFUSED and signal is not None:
        return 128 + signal
    return EXIT_CODES[verdict]


def build_report(run: Run, records: tuple[Record, ...], recovery: Recovery) -> RunReport:
    """Read the records of a run as its report; a run without an end is reported as far as it got."""
    facts = join_facts(records)
    current, target, quarantine = facts.find(Current), facts.find(TargetRelease), facts.find_all(Quarantine)
    ways = dict.fromkeys(way.evidence for way in facts.find_all(RollbackDecision))
    snapshot, outage = facts.find(Snapshot), find_outage(facts)
    return RunReport(
        run=run,
        from_version=current.version.removeprefix("v") if current else None,
        to_version=target.release.version.removeprefix("v") if target else None,
        outage_s=outage.seconds if outage else None,
        down_since=outage.began_at if outage and outage.ended_at is None else None,
        failure=find_failure(records),
        backup=facts.find(BackupManifest),
        snapshot=snapshot.database
        if snapshot and not quarantine and run.request.get("operation", "upgrade") == "upgrade"
        else None,
        quarantine=tuple(one.database for one in quarantine),
        way_back=" ".join(ways),
        notes=tuple(str(record.payload["text"]) for record in records if record.record == "noted"),
        states=_lines(records),
        next_steps=build_next_steps(run, facts, records, recovery),
    )


def build_next_steps(run: Run, facts: Facts, records: tuple[Record, ...], recovery: Recovery) -> tuple[str, ...]:
    """Advice to the operator; the lines of a runbook where they must act."""
    if run.verdict in (Verdict.COMMITTED, Verdict.UP_TO_DATE):
        return ()
    if run.verdict in (Verdict.REFUSED, Verdict.ROLLED_BACK):
        return (_advise(run, find_failure(records)),)
    return build_runbook(run.id, facts, records, recovery)


# Preflight refuses with a list, and each line of it says its own remedy.
def _advise(run: Run, failure: Failure | None) -> str:
    if failure is None or failure.owner is None or failure.code == "refused.preflight":
        advice = "wait for a better release" if run.verdict is Verdict.ROLLED_BACK else ""
    else:
        advice = choose_advice(failure, run.request)
    if run.verdict is Verdict.ROLLED_BACK:
        return f"Read what failed with `orchestrator show {run.id}`, and {advice}."
    if not advice:
        return "Run the same command again when what is said above is put right or decided."
    return f"{advice[0].upper()}{advice[1:]}."


def find_outage(facts: Facts) -> Outage | None:
    """Find the outage of a run; None where the app was never stopped."""
    stopped, serving = facts.find(StoppedServices), facts.find(Serving)
    return Outage(stopped.at, serving.at if serving else None) if stopped else None


def _lines(records: tuple[Record, ...]) -> tuple[StateLine, ...]:
    # A run that was cut off between two states can leave the second without having entered it.
    kinds = {record.state: str(record.payload["kind"]) for record in records if "kind" in record.payload}
    return tuple(
        StateLine(r.state, kinds.get(r.state, ""), r.payload["outcome"], r.payload["seconds"], r.payload["reason"])
        for r in records
        if r.record == "left"
    )
