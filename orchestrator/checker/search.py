"""Search breadth first through plan and model: every way a run can take, the shortest to each node first."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestrator.checker.invariants import Arrival, Violation, check_end, check_entry
from orchestrator.checker.model import Model, begin, close_again, complete, reboot, save
from orchestrator.checker.outcomes import CutOff, EntryOutcomes, apply_refusal, explore_entry
from orchestrator.checker.recovery_moves import CutPoint, RecoveryMove, RecoveryMoves
from orchestrator.core.facts import TargetRelease
from orchestrator.core.kind_model import NO_CAPABILITY, Capability, Effects, PlanTraits, Step
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.state_kind import EXHAUSTED, INTERRUPTED, Kinds, StateKind
from orchestrator.machine.resume import How, Mode, changes_app
from orchestrator.plan.schema import Plan, StateSpec

KILLED, POWER_LOST, SAVED = "killed", "power lost", "users save"


class TraceStep(NamedTuple):
    """One step of a path. ``state`` is left by ``outcome``, which leads to ``to``, or an event happens there;
    ``steps``: how many of its own steps the state had made. ``event`` describes the event.
    """

    state: str
    outcome: str
    to: str
    steps: int = 0
    event: str = ""

    @property
    def is_transition(self) -> bool:
        """Whether the plan has a line for it."""
        return self.outcome not in (KILLED, POWER_LOST, SAVED)


class SearchNode(NamedTuple):
    """A state about to be entered, and the model then; ``before`` is the previous state while that matters."""

    state: str
    model: Model
    before: str | None


@dataclass(frozen=True)
class Counterexample:
    """A broken rule where it was found first: the path, and the step at which the state broke it."""

    violation: Violation
    at: str
    trace: tuple[TraceStep, ...]
    step: Step | None = None


def read_traits(plan: Plan, kinds: Kinds) -> PlanTraits:
    """Return the traits of the plan that the kinds need to declare their effects."""
    blank = PlanTraits(database=plan.database is not None, migrates=False)
    found = (kinds[spec.kind].effects(spec.options, blank) for spec in plan.states.values())
    own = any(Step.MIGRATE_DATABASE in effects.steps for effects in found)
    return PlanTraits(database=blank.database, migrates=own or bool(plan.target.migrate))


def _describe_accident(accident: str, cut: CutPoint, mode: Mode) -> str:
    where = f"in {cut.state}" if cut.entered else f"on the way into {cut.state}"
    return f"{accident} {where}{', at the last attempt' if cut.tried else ''}; {mode.value}"


@dataclass
class Search:
    """Search of one plan. ``enforced``: rules behind whose violation nothing is explored."""

    plan: Plan
    kinds: Kinds
    enforced: frozenset[str]
    counterexamples: dict[tuple[str, ...], Counterexample] = field(default_factory=dict)
    effects: dict[str, Effects] = field(default_factory=dict)
    _parents: dict[SearchNode, tuple[SearchNode, TraceStep] | None] = field(default_factory=dict)
    _queue: deque[SearchNode] = field(default_factory=deque)
    _entered: set[tuple[str, Model]] = field(default_factory=set)
    _explored: dict[tuple[Effects, Model], EntryOutcomes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plan, kinds = self.plan, self.kinds
        self._traits = read_traits(plan, kinds)
        interned: dict[Effects, Effects] = {}
        for name, spec in plan.states.items():
            effects = kinds[spec.kind].effects(spec.options, self._traits)
            self.effects[name] = interned.setdefault(effects, effects)
        self._moves = RecoveryMoves(plan, kinds)
        bounded = [name for name, spec in plan.states.items() if spec.attempts is not None]
        self._bounded = {name: number for number, name in enumerate(bounded)}

    def explore(self) -> None:
        """Explore everything that can be reached."""
        start = begin(self._traits, self._find_known(), len(self._bounded))
        self._arrive(None, None, self.plan.initial, start, Arrival())
        while self._queue:
            node = self._queue.popleft()
            if node[:2] not in self._entered:
                self._entered.add(node[:2])
                self._save(node)
                self._enter(node)
            self._cut_before(node)  # last, so that of two paths of one length the simpler one is reported

    def _find_known(self) -> Capability:
        # Where no state of the plan chooses the release, the run does as it is opened.
        chosen = any(TargetRelease in self.kinds[spec.kind].provides for spec in self.plan.states.values())
        return NO_CAPABILITY if chosen else Capability.CURRENT | Capability.TARGET

    def _save(self, node: SearchNode) -> None:
        saved = save(node.model)
        if saved != node.model:
            self._visit(node, TraceStep(node.state, SAVED, node.state), node._replace(model=saved))

    # --- one state

    def _enter(self, node: SearchNode) -> None:
        spec, model, effects = self.plan.states[node.state], node.model, self.effects[node.state]
        if spec.attempts is not None:
            number = self._bounded[spec.name]
            if model.visits[number] == spec.attempts:
                self._leave(node, spec, EXHAUSTED, model)
                return
            visits = (*model.visits[:number], model.visits[number] + 1, *model.visits[number + 1 :])
            model = model._replace(visits=visits)
        model = model._replace(begun=model.begun or changes_app(self.kinds[spec.kind]))
        outcomes = self._explore_entry(effects, model)
        unsuccessful = [word for word in spec.then if word not in (effects.success, INTERRUPTED, EXHAUSTED)]
        for fault in outcomes.step_faults:
            self._record(fault.violation, node.state, node, None, effects.steps[fault.steps])
        for exit_ in outcomes.exits:
            for outcome in (exit_.outcome,) if exit_.outcome else unsuccessful:
                self._leave(node, spec, outcome, exit_.model, exit_.steps)
        for cut in outcomes.cut_offs:
            self._cut_in(node, spec, cut)

    def _explore_entry(self, effects: Effects, model: Model) -> EntryOutcomes:
        key = (effects, model)
        if key not in self._explored:
            self._explored[key] = explore_entry(effects, model, self._traits, self.enforced)
        return self._explored[key]

    # --- moving on

    def _leave(
        self, node: SearchNode, spec: StateSpec, outcome: str, model: Model, steps: int = 0, event: str = ""
    ) -> None:
        effects, target = self.effects[spec.name], spec.then[outcome]
        well = outcome == effects.success
        arrival = Arrival(
            back=self.kinds[spec.kind].compensation,
            well=well,
            cut=outcome == INTERRUPTED,
            pivot=Step.COMMIT in effects.steps,
        )
        model = model if well else apply_refusal(model, effects, outcome)
        self._arrive(node, TraceStep(spec.name, outcome, target, steps, event), target, model, arrival)

    def _arrive(
        self, node: SearchNode | None, move: TraceStep | None, target: str, model: Model, arrival: Arrival
    ) -> None:
        here = SearchNode(target, self._mark_retreat(target, model), move.state if move and not model.begun else None)
        if here in self._parents:
            return
        found = tuple(self._judge(target, model, arrival))
        for violation in found:
            self._record(violation, target, node, move)
        if target in self.plan.states and not any(violation.rule in self.enforced for violation in found):
            self._visit(node, move, here)

    def _mark_retreat(self, target: str, model: Model) -> Model:
        back = target in self.plan.states and self.kinds[self.plan.states[target].kind].compensation
        return model._replace(retreating=True) if back and not model.retreating else model

    def _judge(self, target: str, model: Model, arrival: Arrival) -> Iterator[Violation]:
        if target in self.plan.ends:
            return check_end(self.plan.ends[target], model, arrival)
        back = self.kinds[self.plan.states[target].kind].compensation
        return check_entry(self.effects[target], back=back, model=model, traits=self._traits)

    def _visit(self, node: SearchNode | None, move: TraceStep | None, here: SearchNode) -> None:
        if here not in self._parents:
            self._parents[here] = (node, move) if node is not None and move is not None else None
            self._queue.append(here)

    # --- cut off, and resumed

    def _cut_before(self, node: SearchNode) -> None:
        cut = CutPoint(node.state, entered=False, prepared=False, before=node.before, begun=node.model.begun)
        self._resume_after(node, cut, CutOff(prepared=False, whole=False, model=node.model, steps=0))

    def _cut_in(self, node: SearchNode, spec: StateSpec, broken: CutOff) -> None:
        cut = CutPoint(spec.name, entered=True, prepared=broken.prepared, before=None, begun=broken.model.begun)
        self._resume_after(node, cut, broken)
        if spec.interrupted is None:
            self._resume_after(node, cut._replace(tried=True), broken)

    def _resume_after(self, node: SearchNode, cut: CutPoint, broken: CutOff) -> None:
        accidents = [(KILLED, broken.model)]
        if (rebooted := reboot(broken.model)) != broken.model:
            accidents.append((POWER_LOST, rebooted))
        gone: set[RecoveryMove] = set()
        for mode in Mode:
            following = self._moves.find(cut, mode)
            if following in gone:
                continue
            gone.add(following)
            for accident, model in accidents:
                found = broken._replace(model=close_again(model) if following.closes else model)
                self._follow_move(node, following, found, accident, _describe_accident(accident, cut, mode))

    def _follow_move(self, node: SearchNode, following: RecoveryMove, found: CutOff, accident: str, event: str) -> None:
        how, state, outcome, _ = following
        spec, kind, effects = self.plan.states[state], self.kinds[self.plan.states[state].kind], self.effects[state]
        if how is How.ENTER:
            before = None if found.model.begun else node.before
            self._visit(
                node, TraceStep(node.state, accident, state, found.steps, event), SearchNode(state, found.model, before)
            )
        elif how in (How.FOLLOW, How.RECONCILE):
            self._leave(node, spec, outcome, found.model, found.steps, event)
            if how is How.RECONCILE and found.whole and kind.reconcile is not StateKind.reconcile:
                whole = complete(found.model, effects, self._traits)
                self._leave(node, spec, effects.success, whole, found.steps, event)
        else:
            verdict = Verdict.REFUSED if how is How.ABANDON else Verdict.NEEDS_OPERATOR
            move = TraceStep(state, accident, verdict.value, found.steps, event)
            for violation in check_end(verdict, found.model, Arrival(well=False, cut=True)):
                self._record(violation, verdict.value, node, move)

    # --- reporting

    def _record(
        self, violation: Violation, at: str, node: SearchNode | None, move: TraceStep | None, step: Step | None = None
    ) -> None:
        last = move if move is not None and move.is_transition else self._find_transition(node)
        key = (violation.rule, at, *(last[:2] if last else ()))
        if key not in self.counterexamples:
            trace = (*self._trace(node), *((move,) if move else ()))
            self.counterexamples[key] = Counterexample(violation, at, trace, step)

    def _find_transition(self, node: SearchNode | None) -> TraceStep | None:
        while node is not None and (parent := self._parents.get(node)) is not None:
            node, move = parent
            if move.is_transition:
                return move
        return None

    def _trace(self, node: SearchNode | None) -> tuple[TraceStep, ...]:
        trace: list[TraceStep] = []
        while node is not None and (parent := self._parents.get(node)) is not None:
            node, move = parent
            trace.append(move)
        return tuple(reversed(trace))
