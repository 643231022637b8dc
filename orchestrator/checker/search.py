"""Breadth first through plan and model world: every way a run can take, the shortest to each place first."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orchestrator.checker.behaviour import Behaviour, Break, behave, learn
from orchestrator.checker.judgement import Arrival, Violation, judge_end, judge_entry
from orchestrator.checker.moves import Cut, Moves, Next
from orchestrator.checker.world import Model, begin, close_again, complete, reboot, save
from orchestrator.core.facts import TargetRelease
from orchestrator.core.kind_model import NO_THING, Capability, Effects, PlanTraits, Step
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.state_kind import INTERRUPTED, StateKind
from orchestrator.machine.resume import How, Mode, changes_app
from orchestrator.plan.schema import EXHAUSTED, Plan, StateSpec

KILLED, POWER_LOST, SAVED = "killed", "power lost", "users save"


class TraceStep(NamedTuple):
    """One thing that happens on a path. ``state`` is left by ``outcome``, which leads to ``to``, or something befalls
    it there; ``steps``: how many of its own it had made. ``event`` says what else happened.
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


class Place(NamedTuple):
    """Where a run is: about to enter a state, in a world; ``before`` is where it came from while that matters."""

    state: str
    world: Model
    before: str | None


@dataclass(frozen=True)
class Counterexample:
    """A broken rule where it was first met: the way there, and the step at which its state broke it."""

    breach: Violation
    at: str
    hops: tuple[TraceStep, ...]
    step: Step | None = None


def read_setting(plan: Plan, kinds: Mapping[str, type[StateKind[Any]]]) -> PlanTraits:
    """What the kinds have to know of the plan to say what they do."""
    blank = PlanTraits(database=plan.database is not None, migrates=False)
    found = (kinds[spec.kind].effects(spec.options, blank) for spec in plan.states.values())
    own = any(Step.MIGRATE_DATABASE in effects.steps for effects in found)
    return PlanTraits(database=blank.database, migrates=own or bool(plan.target.migrate))


def _tell(accident: str, cut: Cut, mode: Mode) -> str:
    where = f"in {cut.state}" if cut.entered else f"on the way into {cut.state}"
    return f"{accident} {where}{', for the last time that counts' if cut.tried else ''}; {mode.value}"


@dataclass
class Search:
    """One plan on its way through the model. ``enforced``: rules behind whose breach nothing is looked at."""

    plan: Plan
    kinds: Mapping[str, type[StateKind[Any]]]
    enforced: frozenset[str]
    sightings: dict[tuple[str, ...], Counterexample] = field(default_factory=dict)
    effects: dict[str, Effects] = field(default_factory=dict)
    _parents: dict[Place, tuple[Place, TraceStep] | None] = field(default_factory=dict)
    _queue: deque[Place] = field(default_factory=deque)
    _entered: set[tuple[str, Model]] = field(default_factory=set)
    _behaviours: dict[tuple[Effects, Model], Behaviour] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plan, kinds = self.plan, self.kinds
        self._setting = read_setting(plan, kinds)
        interned: dict[Effects, Effects] = {}
        for name, spec in plan.states.items():
            effects = kinds[spec.kind].effects(spec.options, self._setting)
            self.effects[name] = interned.setdefault(effects, effects)
        self._moves = Moves(plan, kinds)
        bounded = [name for name, spec in plan.states.items() if spec.attempts is not None]
        self._bounded = {name: number for number, name in enumerate(bounded)}

    @property
    def places(self) -> int:
        """How many places were looked at."""
        return len(self._parents)

    def explore(self) -> None:
        """Look at everything that can be reached."""
        start = begin(self._setting, self._find_known(), len(self._bounded))
        self._arrive(None, None, self.plan.initial, start, Arrival())
        while self._queue:
            place = self._queue.popleft()
            if place[:2] not in self._entered:
                self._entered.add(place[:2])
                self._save(place)
                self._enter(place)
            self._cut_before(place)  # last, so that of two ways of one length the plainer one is told

    def _find_known(self) -> Capability:
        # Where no state of the plan chooses the release, opening the run does.
        chosen = any(TargetRelease in self.kinds[spec.kind].provides for spec in self.plan.states.values())
        return NO_THING if chosen else Capability.CURRENT | Capability.TARGET

    def _save(self, place: Place) -> None:
        saved = save(place.world)
        if saved != place.world:
            self._visit(place, TraceStep(place.state, SAVED, place.state), place._replace(world=saved))

    # --- one state

    def _enter(self, place: Place) -> None:
        spec, world, effects = self.plan.states[place.state], place.world, self.effects[place.state]
        if spec.attempts is not None:
            number = self._bounded[spec.name]
            if world.visits[number] == spec.attempts:
                self._leave(place, spec, EXHAUSTED, world)
                return
            visits = (*world.visits[:number], world.visits[number] + 1, *world.visits[number + 1 :])
            world = world._replace(visits=visits)
        world = world._replace(begun=world.begun or changes_app(self.kinds[spec.kind]))
        behaviour = self._behave(effects, world)
        for fault in behaviour.faults:
            self._sight(fault.breach, place.state, place, None, effects.steps[fault.steps])
        for exit_ in behaviour.exits:
            for outcome in (exit_.outcome,) if exit_.outcome else self._unsuccessful(spec, effects):
                self._leave(place, spec, outcome, exit_.world, exit_.steps)
        for cut in behaviour.breaks:
            self._cut_in(place, spec, cut)

    def _behave(self, effects: Effects, world: Model) -> Behaviour:
        key = (effects, world)
        if key not in self._behaviours:
            self._behaviours[key] = behave(effects, world, self._setting, self.enforced)
        return self._behaviours[key]

    def _unsuccessful(self, spec: StateSpec, effects: Effects) -> Iterator[str]:
        return (outcome for outcome in spec.then if outcome not in (effects.success, INTERRUPTED, EXHAUSTED))

    # --- moving on

    def _leave(
        self, place: Place, spec: StateSpec, outcome: str, world: Model, steps: int = 0, event: str = ""
    ) -> None:
        effects, target = self.effects[spec.name], spec.then[outcome]
        well = outcome == effects.success
        arrival = Arrival(
            back=self.kinds[spec.kind].compensation,
            well=well,
            cut=outcome == INTERRUPTED,
            pivot=Step.COMMIT in effects.steps,
        )
        world = world if well else learn(world, effects, outcome)
        self._arrive(place, TraceStep(spec.name, outcome, target, steps, event), target, world, arrival)

    def _arrive(self, place: Place | None, hop: TraceStep | None, target: str, world: Model, arrival: Arrival) -> None:
        here = Place(target, self._turn(target, world), hop.state if hop and not world.begun else None)
        if here in self._parents:
            return
        found = tuple(self._judge(target, world, arrival))
        for breach in found:
            self._sight(breach, target, place, hop)
        if target in self.plan.states and not any(breach.rule in self.enforced for breach in found):
            self._visit(place, hop, here)

    def _turn(self, target: str, world: Model) -> Model:
        back = target in self.plan.states and self.kinds[self.plan.states[target].kind].compensation
        return world._replace(retreating=True) if back and not world.retreating else world

    def _judge(self, target: str, world: Model, arrival: Arrival) -> Iterator[Violation]:
        if target in self.plan.ends:
            return judge_end(self.plan.ends[target], world, arrival)
        back = self.kinds[self.plan.states[target].kind].compensation
        return judge_entry(self.effects[target], back=back, world=world, setting=self._setting)

    def _visit(self, place: Place | None, hop: TraceStep | None, here: Place) -> None:
        if here not in self._parents:
            self._parents[here] = (place, hop) if place is not None and hop is not None else None
            self._queue.append(here)

    # --- being cut off, and taken up

    def _cut_before(self, place: Place) -> None:
        cut = Cut(place.state, entered=False, prepared=False, before=place.before, begun=place.world.begun)
        self._take_up(place, cut, Break(prepared=False, whole=False, world=place.world, steps=0))

    def _cut_in(self, place: Place, spec: StateSpec, broken: Break) -> None:
        cut = Cut(spec.name, entered=True, prepared=broken.prepared, before=None, begun=broken.world.begun)
        self._take_up(place, cut, broken)
        if spec.interrupted is None:
            self._take_up(place, cut._replace(tried=True), broken)

    def _take_up(self, place: Place, cut: Cut, broken: Break) -> None:
        accidents = [(KILLED, broken.world)]
        if (rebooted := reboot(broken.world)) != broken.world:
            accidents.append((POWER_LOST, rebooted))
        gone: set[Next] = set()
        for mode in Mode:
            following = self._moves.find(cut, mode)
            if following in gone:
                continue
            gone.add(following)
            for accident, world in accidents:
                found = broken._replace(world=close_again(world) if following.closes else world)
                self._go_on(place, following, found, accident, _tell(accident, cut, mode))

    def _go_on(self, place: Place, following: Next, found: Break, accident: str, event: str) -> None:
        how, state, outcome, _ = following
        spec, kind, effects = self.plan.states[state], self.kinds[self.plan.states[state].kind], self.effects[state]
        if how is How.ENTER:
            before = None if found.world.begun else place.before
            self._visit(
                place, TraceStep(place.state, accident, state, found.steps, event), Place(state, found.world, before)
            )
        elif how in (How.FOLLOW, How.RECONCILE):
            self._leave(place, spec, outcome, found.world, found.steps, event)
            if how is How.RECONCILE and found.whole and kind.reconcile is not StateKind.reconcile:
                whole = complete(found.world, effects, self._setting)
                self._leave(place, spec, effects.success, whole, found.steps, event)
        else:
            verdict = Verdict.REFUSED if how is How.ABANDON else Verdict.NEEDS_OPERATOR
            hop = TraceStep(state, accident, verdict.value, found.steps, event)
            for breach in judge_end(verdict, found.world, Arrival(well=False, cut=True)):
                self._sight(breach, verdict.value, place, hop)

    # --- telling

    def _sight(
        self, breach: Violation, at: str, place: Place | None, hop: TraceStep | None, step: Step | None = None
    ) -> None:
        last = hop if hop is not None and hop.is_transition else self._find_transition(place)
        key = (breach.rule, at, *(last[:2] if last else ()))
        if key not in self.sightings:
            hops = (*self._trace(place), *((hop,) if hop else ()))
            self.sightings[key] = Counterexample(breach, at, hops, step)

    def _find_transition(self, place: Place | None) -> TraceStep | None:
        while place is not None and (parent := self._parents.get(place)) is not None:
            place, hop = parent
            if hop.is_transition:
                return hop
        return None

    def _trace(self, place: Place | None) -> tuple[TraceStep, ...]:
        hops: list[TraceStep] = []
        while place is not None and (parent := self._parents.get(place)) is not None:
            place, hop = parent
            hops.append(hop)
        return tuple(reversed(hops))
