"""Turn counterexamples into findings: the rule, the path, the moment, the line to change."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from orchestrator.checker.invariants import Violation
from orchestrator.checker.rules import RULES, Blame, Level, Rule
from orchestrator.checker.search import Counterexample, Search, TraceStep
from orchestrator.core.kind_model import Step
from orchestrator.core.state_kind import FAILED, TIMEOUT, Kinds
from orchestrator.machine.resume import limit_transitions
from orchestrator.plan.durations import format_duration
from orchestrator.plan.load import read_tree
from orchestrator.plan.schema import Plan
from orchestrator.plan.structure import longest_path_s, longest_path_transitions
from orchestrator.plan.tree import KeyPath, Node, Position, Problems


@dataclass(frozen=True)
class Finding:
    """One broken rule: the ``path`` to it, the ``moment`` at its end, and the ``position`` in the plan to change."""

    rule: Rule
    problem: str
    remedy: str
    path: tuple[TraceStep, ...]
    moment: str
    key_path: KeyPath
    position: Position

    @property
    def is_error(self) -> bool:
        """Whether the plan is refused for it."""
        return self.rule.level is Level.ERROR


def check_plan(plan: Plan, kinds: Kinds, *, rules: Collection[str] = tuple(RULES)) -> tuple[Finding, ...]:
    """Explore the plan and return its findings, errors first, each fault once for each line of the plan.

    ``rules``: numbers of the rules to check.
    """
    search = Search(plan, kinds, frozenset(number for number in rules if RULES[number].level is Level.ERROR))
    search.explore()
    counterexamples = (*search.counterexamples.values(), *_measure(plan, kinds, search))
    explainer = _Explainer(plan, search)
    return _choose([explainer.explain(example) for example in counterexamples if example.violation.rule in rules])


def _measure(plan: Plan, kinds: Kinds, search: Search) -> Iterator[Counterexample]:
    """Find what no path shows: too many transitions, former names of kinds, too long an outage."""
    bounded = [spec.name for spec in plan.states.values() if spec.attempts is not None]
    limit = limit_transitions(plan)
    # Where nothing is entered twice, no path is longer than the plan has states.
    if bounded and (count := longest_path_transitions(plan)) >= limit:
        yield Counterexample(Violation("X10", (("transitions", str(count)), ("limit", str(limit - 1)))), bounded[0], ())
    for spec in plan.states.values():
        if spec.former_kind:
            yield Counterexample(Violation("W8", (("former", spec.former_kind), ("kind", spec.kind))), spec.name, ())
    if plan.maintenance_window_s is None:
        return
    stopping = [name for name, effects in search.effects.items() if Step.STOP_APP in effects.steps]
    stopping = [name for name in stopping if not kinds[plan.states[name].kind].compensation]
    worst_s, name = max(((longest_path_s(plan, name), name) for name in stopping), default=(0.0, ""))
    if worst_s > plan.maintenance_window_s:
        words = (("worst", format_duration(worst_s)), ("window", format_duration(plan.maintenance_window_s)))
        yield Counterexample(Violation("W4", words), name, ())


def _choose(found: list[Finding]) -> tuple[Finding, ...]:
    chosen: dict[tuple[str, KeyPath], Finding] = {}
    for finding in sorted(found, key=lambda one: (not one.is_error, len(one.path))):
        chosen.setdefault((finding.rule.id, finding.key_path), finding)
    broken = {finding.key_path for finding in chosen.values() if finding.is_error}
    return tuple(one for one in chosen.values() if one.is_error or one.key_path not in broken)


@dataclass
class _Explainer:
    plan: Plan
    search: Search

    def explain(self, example: Counterexample) -> Finding:
        rule, blamed = RULES[example.violation.rule], self._blame(example)
        words = {"at": example.at, "state": blamed.state, "outcome": blamed.outcome, **dict(example.violation.words)}
        key_path: KeyPath = ("states", blamed.state, *(("then", blamed.outcome) if blamed.outcome else ()))
        return Finding(
            rule=rule,
            problem=rule.problem.format(**words),
            remedy=rule.remedy.format(**words),
            path=example.trace,
            moment=_describe_moment(example, self.plan),
            key_path=key_path,
            position=self._find(key_path),
        )

    def _blame(self, example: Counterexample) -> TraceStep:
        blame, effects = RULES[example.violation.rule].blame, self.search.effects
        moves = [taken for taken in example.trace if taken.is_transition]
        if blame is Blame.STATE or not moves:
            return TraceStep(example.at, "", "")
        if blame is Blame.STOP:
            stopped = [h for h in moves if Step.STOP_APP in effects[h.state].steps]
            if stopped and stopped[-1].outcome == effects[stopped[-1].state].success:
                return stopped[-1]._replace(outcome="")
        if blame is Blame.DENIAL:
            moves = [h for h in moves if effects[h.state].judges and h.outcome != effects[h.state].success] or moves
        then = self.plan.states[moves[-1].state].then
        if moves[-1].outcome == TIMEOUT and then[TIMEOUT] == then.get(FAILED):
            return moves[-1]._replace(outcome=FAILED)
        return moves[-1]

    def _find(self, key_path: KeyPath) -> Position:
        return self._tree.find(key_path)[0]

    @cached_property
    def _tree(self) -> Node:
        return read_tree(self.plan.text, self.plan.source, Problems())


def _describe_moment(example: Counterexample, plan: Plan) -> str:
    if example.step is not None:
        return f"`{example.at}` has {example.step.value}"
    if example.at in plan.ends:
        return f"the run ends at `{example.at}` ({plan.ends[example.at].value.replace('_', ' ')})"
    return f"the run comes to `{example.at}`" if example.trace else ""
