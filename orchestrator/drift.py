"""What runs against what would be started: refused before anything is touched, told when a run is over."""

from __future__ import annotations

from orchestrator.contract import World
from orchestrator.errors import RefusedError, StateError
from orchestrator.facts import FrozenProject
from orchestrator.journal import Journal
from orchestrator.model import Drift, Verdict
from orchestrator.plan.schema import Plan

_TEXTS = {
    Verdict.COMMITTED: "What runs now is not in all what was confirmed: {}.",
    Verdict.ROLLED_BACK: "What runs now is not in all what ran before the upgrade: {}.",
}


def refuse_drift(drift: Drift) -> None:
    """Refuse to go on where a start would change more than the version.

    Raises:
        RefusedError: ``refused.drift``.
    """
    if not drift:
        return
    count = "1 setting" if len(drift.differences) == 1 else f"{len(drift.differences)} settings"
    raise RefusedError(
        "refused.drift",
        f"What runs differs from what would be started in {count}: {drift}.",
        meaning="An upgrade would have changed that without a word; nothing was touched.",
        hint=drift.hint,
    )


def note_drift_at_end(journal: Journal, run_id: str, verdict: Verdict, plan: Plan, world: World) -> None:
    """Record how the services that were started differ from the frozen project, but for their version."""
    project = journal.facts(run_id).find(FrozenProject)
    if project is None or verdict not in _TEXTS:
        return
    try:
        pin = world.platform.read_pin()
        drift = world.platform.find_drift(project, pin=pin, services=plan.target.services)
    except StateError:
        return  # what cannot be looked at is as it should be for all we know
    if drift:
        text = _TEXTS[verdict].format(drift)
        journal.append(run_id, world.clock.now(), "noted", "", {"text": text})
