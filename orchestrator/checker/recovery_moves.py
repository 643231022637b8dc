"""Find the next move of a run that was cut off, with the same function that `resume` and `recover` use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from orchestrator.core.state_kind import Kinds
from orchestrator.journal.journal import Record
from orchestrator.machine.resume import ATTEMPTS_AT_MOST, How, Mode, changes_app, choose_action
from orchestrator.plan.schema import Plan, StateSpec

_THEN = datetime(2026, 1, 1, tzinfo=UTC)
_ELSEWHERE = "·"  # the name of no state


class CutPoint(NamedTuple):
    """Where a run was cut off: in a state, or on the way into it from ``before``.

    ``begun``: a state was entered before that may change the app. ``tried``: this was the last attempt allowed.
    """

    state: str
    entered: bool
    prepared: bool
    before: str | None
    begun: bool
    tried: bool = False


class RecoveryMove(NamedTuple):
    """The next move: ``how``, with the state and its outcome. ``closes``: the database is closed first."""

    how: How
    state: str
    outcome: str
    closes: bool


@dataclass
class RecoveryMoves:
    """The recovery moves of one plan, each case computed once."""

    plan: Plan
    kinds: Kinds
    _known: dict[tuple[object, ...], tuple[How, bool, str, bool]] = field(default_factory=dict)

    def find(self, cut: CutPoint, mode: Mode) -> RecoveryMove:
        """Return the next move after a cut."""
        spec = self.plan.states[cut.state]
        key = (spec.kind, spec.interrupted is None, cut.before is None, *cut[1:3], *cut[4:], mode)
        if key not in self._known:
            move = choose_action(self.plan, self.kinds, self._write_journal(cut, spec), mode)
            rule = self.kinds[self.plan.states[move.state].kind].crash_rule
            self._known[key] = (move.how, move.state == cut.state, move.outcome, not rule.app_may_be_up)
        how, here, outcome, closes = self._known[key]
        return RecoveryMove(how, cut.state if here else str(cut.before), outcome, closes)

    def _write_journal(self, cut: CutPoint, spec: StateSpec) -> list[Record]:
        rows: list[tuple[str, str, Mapping[str, Any]]] = [("opened", "", {})]
        if cut.begun:
            rows.append(("entered", _ELSEWHERE, {"kind": self._find_changing()}))
        if cut.entered:
            rows += [("entered", cut.state, {"kind": spec.kind})] * (ATTEMPTS_AT_MOST if cut.tried else 1)
        elif cut.begun or cut.before is not None:
            rows.append(("left", cut.before or _ELSEWHERE, {"to": cut.state}))
        if cut.prepared:
            rows.append(("prepared", cut.state, {}))
        return [Record(number, _THEN, word, state, payload) for number, (word, state, payload) in enumerate(rows)]

    def _find_changing(self) -> str:
        return next(spec.kind for spec in self.plan.states.values() if changes_app(self.kinds[spec.kind]))
