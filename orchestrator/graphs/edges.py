"""Choose what every format draws of a plan: its transitions, which of them go forward, the colours of its ends."""

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.core.model.verdict import Verdict
from orchestrator.core.state_kind import FAILED, TIMEOUT
from orchestrator.graphs.run_path import RunPath
from orchestrator.machine.machine import Edge, choose_forward, edges
from orchestrator.plan.schema import Plan

#: White text on each of them has a contrast of 4.5 or more.
COLOURS: Mapping[Verdict, str] = {
    Verdict.COMMITTED: "#1a7f37",
    Verdict.UP_TO_DATE: "#1a7f37",
    Verdict.REFUSED: "#9a6700",
    Verdict.ROLLED_BACK: "#9a6700",
    Verdict.NEEDS_OPERATOR: "#cf222e",
}
#: Of a way that is pointed out because of what is wrong with it, and of the one that a run took.
WRONG, TAKEN = "#cf222e", "#0969da"

CUT_OFF = "cut off"
Pair = tuple[str, str]
Group = tuple[str, str, list[str]]


@dataclass(frozen=True)
class Arrows:
    """The transitions of a plan as arrows. ``cuts`` are steps of a run that the plan has no transition for.

    ``ids`` are generated, because not every name of a state is valid in each format. ``way`` is highlighted in
    ``colour``.
    """

    ids: Mapping[str, str]
    forward: Collection[Pair]
    groups: Sequence[Group]
    cuts: Sequence[Group]
    way: Collection[Pair]
    colour: str


def choose_arrows(plan: Plan, path: Collection[Pair], run_path: RunPath | None) -> Arrows:
    """Choose what to draw of a plan and of the path of a run, or else of a ``path`` that shows a fault."""
    ids = {name: f"s{number}" for number, name in enumerate([*plan.states, *plan.ends])}
    groups = group_edges(shown_edges(plan))
    way, colour = (run_path.steps, TAKEN) if run_path else (path, WRONG)
    cuts = [cut for cut in find_cuts(way, groups) if {cut[0], cut[1]} <= ids.keys()]
    return Arrows(ids, set(itertools.pairwise(choose_forward(plan))), groups, cuts, way, colour)


def shown_edges(plan: Plan) -> tuple[Edge, ...]:
    """Yield all transitions but the obvious: a timeout that leads where failing leads."""
    return tuple(
        edge
        for edge in edges(plan)
        if edge.outcome != TIMEOUT or edge.target != plan.states[edge.source].then.get(FAILED)
    )


def group_edges(found: Iterable[Edge]) -> list[Group]:
    """Yield (source, target, outcomes): the transitions between two states together."""
    groups: dict[Pair, list[str]] = {}
    for edge in found:
        groups.setdefault((edge.source, edge.target), []).append(edge.outcome)
    return [(source, target, outcomes) for (source, target), outcomes in groups.items()]


def tell_verdict(verdict: Verdict) -> str:
    """Return a verdict as people read it."""
    return verdict.value.replace("_", " ")


def find_cuts(path: Iterable[Pair], groups: Sequence[Group]) -> list[Group]:
    """Return the steps without a transition in the plan: the run was cut off there, and continued elsewhere."""
    drawn = {(source, target) for source, target, _ in groups}
    return [(*pair, [CUT_OFF]) for pair in dict.fromkeys(path) if pair not in drawn and pair[0] != pair[1]]
