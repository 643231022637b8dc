"""Tell files that were edited while a run is at work or was cut off: the run follows the frozen ones."""

import hashlib

from orchestrator.core.errors import PlatformError, StateError
from orchestrator.core.facts import Facts, FrozenProject, TargetRelease
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.ports.recovery import ByHand, Recovery
from orchestrator.core.state_kind import Ports
from orchestrator.journal.journal import Journal
from orchestrator.plan.schema import Plan

_SOMETHING_RUNS = frozenset({Verdict.COMMITTED, Verdict.ROLLED_BACK, Verdict.NEEDS_OPERATOR})


def add_plan(project: FrozenProject, plan: Plan) -> FrozenProject:
    """The frozen project with the plan's own file among those that are watched."""
    mark = hashlib.sha256(plan.text.encode()).hexdigest()
    return project.model_copy(update={"files": {**project.files, str(plan.source.absolute()): mark}})


def note_edits(journal: Journal, run_id: str, plan: Plan, ports: Ports) -> tuple[str, ...]:
    """Record what was edited and is not recorded yet, one sentence each: names, never what is in a file."""
    known = {str(record.payload["text"]) for record in journal.records(run_id) if record.record == "noted"}
    found = tuple(text for text in tell_edits(journal.facts(run_id), plan, ports) if text not in known)
    for text in found:
        journal.append(run_id, ports.clock.now(), "noted", "", {"text": text})
    return found


def note_edits_at_end(journal: Journal, run_id: str, verdict: Verdict, plan: Plan, ports: Ports) -> None:
    """As `note_edits`, where a version runs now that may differ from what its files say."""
    if verdict in _SOMETHING_RUNS:
        note_edits(journal, run_id, plan, ports)


def tell_edits(facts: Facts, plan: Plan, ports: Ports) -> tuple[str, ...]:
    """One sentence for each file of the run that is not as it was when the run began."""
    project = facts.find(FrozenProject)
    if project is None:
        return ()
    try:
        names, pin = ports.workloads.find_edits(project), ports.workloads.read_pin()
    except PlatformError:
        return ()  # what could not be looked at has not been edited for all we know
    texts = [_tell(name, project, plan, ports.recovery) for name in names]
    if _is_foreign(pin, project, facts.find(TargetRelease)):
        variable = plan.target.version_variable
        texts.append(f"The variable {variable} was set by somebody else after the run began: the run sets it itself.")
    return tuple(texts)


def _tell(name: str, project: FrozenProject, plan: Plan, recovery: Recovery) -> str:
    if project.directory / name == plan.source.absolute():
        return f"The plan {name} was edited after the run began: the run follows it as it was then."
    start = recovery.phrase(ByHand.START_APP)
    return (
        f"{name} was edited after the run began: what runs is as it was before that, until {start} in"
        f" {project.directory}."
    )


def _is_foreign(text: str, project: FrozenProject, target: TargetRelease | None) -> bool:
    return text not in {project.pin_text, *([str(target.pin)] if target else [])}


_DRIFTED = {
    Verdict.COMMITTED: "What runs now is not in all what was confirmed: {}.",
    Verdict.ROLLED_BACK: "What runs now is not in all what ran before the upgrade: {}.",
}


def note_drift_at_end(journal: Journal, run_id: str, verdict: Verdict, plan: Plan, ports: Ports) -> None:
    """Record how the services that were started differ from the frozen project, but for their version."""
    project = journal.facts(run_id).find(FrozenProject)
    if project is None or verdict not in _DRIFTED:
        return
    try:
        pin = ports.workloads.read_pin()
        drift = ports.workloads.find_drift(project, pin=pin, services=plan.target.services)
    except StateError:
        return  # what cannot be looked at is as it should be for all we know
    if drift:
        text = _DRIFTED[verdict].format(drift)
        journal.append(run_id, ports.clock.now(), "noted", "", {"text": text})
