"""Choose the next move of a run that was cut off, from its journal: one pure function, and its explanation.

Anything unknown is treated as "the database may have been written". The decision holds for every prefix of the
journal: the world is never more than one state ahead of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.core.facts import Started
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.state_kind import FAILED, INTERRUPTED, CrashRule, Kind, Kinds, StateKind
from orchestrator.journal.journal import Record
from orchestrator.plan.schema import Plan, StateSpec

ATTEMPTS_AT_MOST = 3
RESUMPTIONS_AT_MOST = 5
TRANSITIONS_AT_MOST = 64

_CHANGES_NOTHING_OF_THE_APP = frozenset({EffectScope.NOTHING, EffectScope.FILES, EffectScope.IMAGES})


class Mode(StrEnum):
    """Who continues the run: a person at a terminal, or a boot with nobody there."""

    RESUME = "resume"
    RECOVER = "recover"


class How(StrEnum):
    """What happens with the state of the run."""

    ENTER = "enter"  # it is entered, again or for the first time
    FOLLOW = "follow"  # it is left by ``outcome``, without being entered
    RECONCILE = "salvage"  # the world is asked whether it is complete; left by ``outcome`` if it is not
    ABANDON = "abandon"  # nothing was begun: the run ends as refused
    GIVE_UP = "give_up"  # it was tried too often: an operator is needed


@dataclass(frozen=True)
class ResumeAction:
    """The next move in ``state``; ``found`` and ``reason`` say what was found and why this follows."""

    how: How
    state: str
    outcome: str
    found: str
    reason: str


@dataclass(frozen=True)
class _Cut:
    """Where the journal ends: in a state, or (``entered`` False) on the way into it from ``before``."""

    state: str
    entered: bool
    prepared: bool
    before: str | None


def choose_action(plan: Plan, kinds: Kinds, records: Sequence[Record], mode: Mode) -> ResumeAction:
    """Choose the next move of a run whose journal ends with ``records``."""
    if not any(record.record == "opened" for record in records):
        found = "It was cut off while it was being opened."
        return ResumeAction(
            How.ABANDON, plan.initial, "", found, "Nothing had begun; a new run starts from the beginning."
        )
    cut = _find_cut(plan, records)
    if cut.state in plan.ends:
        return ResumeAction(
            How.ENTER, cut.state, "", f"It had come to its end, {cut.state}.", "Only the end is recorded."
        )
    return _find_bound(plan, cut, records) or _choose(plan, kinds, records, cut, mode)


def count_attempts(records: Sequence[Record]) -> dict[str, int]:
    """Count how often each state was entered so far."""
    counted: dict[str, int] = {}
    for record in records:
        if record.record == "entered":
            counted[record.state] = counted.get(record.state, 0) + 1
    return counted


def count_transitions(records: Sequence[Record]) -> int:
    """Count the transitions so far."""
    return sum(record.record == "left" for record in records)


def limit_transitions(plan: Plan) -> int:
    """Return the most transitions that a run may take in all, however often it is resumed."""
    return max(TRANSITIONS_AT_MOST, 2 * len(plan.states))


def is_touched(kinds: Kinds, records: Sequence[Record]) -> bool:
    """Tell whether a state was entered that changes the app or its database."""
    entered = (kinds[str(record.payload["kind"])] for record in records if record.record == "entered")
    return any(changes_app(kind) for kind in entered)


def changes_app(kind: Kind | StateKind[Any]) -> bool:
    """Tell whether a state of this kind may change the app or its database."""
    return kind.scope not in _CHANGES_NOTHING_OF_THE_APP


def _find_bound(plan: Plan, cut: _Cut, records: Sequence[Record]) -> ResumeAction | None:
    """Return the move that ends a run which was resumed or tried too often."""
    if sum(record.record == "resumed" for record in records) >= RESUMPTIONS_AT_MOST:
        reason = f"It was resumed {RESUMPTIONS_AT_MOST} times already."
        return ResumeAction(How.GIVE_UP, cut.state, "", _tell(cut), reason)
    if count_transitions(records) >= limit_transitions(plan):
        reason = f"It took {count_transitions(records)} transitions without coming to an end."
        return ResumeAction(How.GIVE_UP, cut.state, "", _tell(cut), reason)
    if cut.entered and count_attempts(records).get(cut.state, 0) >= ATTEMPTS_AT_MOST:
        return _fail(plan.states[cut.state], _tell(cut), f"{cut.state} was begun {ATTEMPTS_AT_MOST} times.")
    return None


def _choose(plan: Plan, kinds: Kinds, records: Sequence[Record], cut: _Cut, mode: Mode) -> ResumeAction:
    spec, found = plan.states[cut.state], _tell(cut)
    rule = kinds[spec.kind].crash_rule
    if cut.entered and spec.interrupted is not None:
        return ResumeAction(
            How.FOLLOW, cut.state, INTERRUPTED, found, "The plan says where it goes when it is cut off."
        )
    if not cut.entered and mode is Mode.RECOVER and rule in (CrashRule.RUN_AGAIN, CrashRule.OBSERVE):
        return _turn_back(plan, kinds, records, cut, found)
    if rule is CrashRule.JUDGE:
        return _judge(kinds, records, cut, found)
    return _apply(spec, rule, cut, mode, found)


def _apply(spec: StateSpec, rule: CrashRule, cut: _Cut, mode: Mode, found: str) -> ResumeAction:
    if rule in (CrashRule.RUN_AGAIN, CrashRule.OBSERVE):
        if mode is Mode.RECOVER:
            return _fail(spec, found, "Nobody is here to go on with it, and no data was written yet.")
        return _enter(cut, found, "It is safe to do again.")
    if rule is CrashRule.RESTORE:
        if not cut.prepared and mode is Mode.RESUME:
            return _enter(cut, found, "It had not begun to change anything.")
        if not cut.prepared:
            return _fail(spec, found, "Nobody is here to go on with it.")
        return ResumeAction(How.RECONCILE, spec.name, FAILED, found, "It is never done twice: complete, or taken back.")
    reasons = {
        CrashRule.FORWARD: "After the commit there is only the way forward.",
        CrashRule.REPEAT: "Going back is repeated until it is done.",
    }
    return _enter(cut, found, reasons[rule])


# Behind a closed gate nothing starts it again but we: after a reboot it is down, which says nothing about its health.
def _judge(kinds: Kinds, records: Sequence[Record], cut: _Cut, found: str) -> ResumeAction:
    entered = [record for record in records if record.record == "entered"]
    starts = [record.state for record in entered if Started in kinds[str(record.payload["kind"])].provides]
    state = starts[-1] if starts else cut.state
    return ResumeAction(
        How.ENTER, state, "", found, "It is brought up again; its health decides, watched from the beginning."
    )


def _turn_back(plan: Plan, kinds: Kinds, records: Sequence[Record], cut: _Cut, found: str) -> ResumeAction:
    reason = "Nobody is here to go on with it, and no data was written yet."
    if is_touched(kinds, records):
        return _fail(plan.states[cut.state], found, reason)
    # Nothing has to be undone: the way out is that of the state before, in which the app still runs.
    if cut.before is None or FAILED not in plan.states[cut.before].then:
        return ResumeAction(How.ABANDON, cut.state, "", found, reason)
    return ResumeAction(How.FOLLOW, cut.before, FAILED, found, reason)


def _fail(spec: StateSpec, found: str, reason: str) -> ResumeAction:
    if FAILED not in spec.then:
        return ResumeAction(How.GIVE_UP, spec.name, "", found, reason)
    return ResumeAction(How.FOLLOW, spec.name, FAILED, found, reason)


def _enter(cut: _Cut, found: str, reason: str) -> ResumeAction:
    return ResumeAction(How.ENTER, cut.state, "", found, reason)


def _find_cut(plan: Plan, records: Sequence[Record]) -> _Cut:
    moves = [record for record in records if record.record in ("entered", "prepared", "left")]
    if not moves:
        return _Cut(plan.initial, entered=False, prepared=False, before=None)
    last = moves[-1]
    if last.record == "left":
        return _Cut(str(last.payload["to"]), entered=False, prepared=False, before=last.state)
    return _Cut(last.state, entered=True, prepared=last.record == "prepared", before=None)


def _tell(cut: _Cut) -> str:
    if cut.prepared:
        return f"It was cut off in {cut.state}."
    return f"It was cut off at the beginning of {cut.state}." if cut.entered else f"It was cut off before {cut.state}."
