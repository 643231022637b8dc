"""The loop, and the only place that knows it.

    entered (durable) → prepare → prepared (durable) → perform → observe → left (durable) → trigger

What a state reports decides where the run goes; what it raises becomes an outcome here and nowhere else.
Anything that is no `OrchestratorError` is a bug: the run stops where it is, fail closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from orchestrator.core.deadline import Deadline, Deferral, Interruption
from orchestrator.core.errors import (
    DeadlineExceededError,
    InterruptedByOperatorError,
    InvariantError,
    JournalError,
    StateError,
)
from orchestrator.core.fact_names import find_fact_names
from orchestrator.core.facts import Facts, Known
from orchestrator.core.log import warn
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.ports.history import History
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.core.state_kind import (
    DONE,
    EXHAUSTED,
    FAILED,
    TIMEOUT,
    AppSpec,
    CrashRule,
    Kinds,
    Observation,
    Ports,
    Result,
    StateContext,
    StateKind,
)
from orchestrator.journal.database_file import NO_SPACE
from orchestrator.journal.history import JournalHistory
from orchestrator.journal.journal import Journal
from orchestrator.machine.machine import Machine, choose_forward
from orchestrator.machine.resume import How, ResumeAction, changes_app, limit_transitions
from orchestrator.plan.schema import Plan, StateSpec
from orchestrator.plan.target import build_target
from orchestrator.run.blame import Blame, find_blame
from orchestrator.run.host_identity import require_place
from orchestrator.run.listener import Listener


@dataclass(frozen=True)
class Ending:
    """Where the run ended. ``reason`` is the sentence of the first state that went off the way forward."""

    state: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Engine:
    """Walks one run of a plan through its machine."""

    plan: Plan
    kinds: Kinds
    ports: Ports
    journal: Journal
    listener: Listener
    interruption: Interruption

    def walk(
        self,
        run_id: str,
        directory: Path,
        facts: Facts,
        request: ReleaseRequest,
        *,
        assume_yes: bool,
        move: ResumeAction | None = None,
        attempts: Mapping[str, int] | None = None,
        taken: int = 0,
    ) -> Ending:
        """From the plan's initial state to an end, or from ``move`` on for a run that was cut off.

        ``attempts``: how often each state was entered before; ``taken``: how many transitions the run took.

        Raises:
            UnfinishedRunError: this is not the place where the run began any more; nothing was done here.
            InvariantError: a bug, or a run that would not come to an end.
            JournalError: a record could not be made durable; nothing was done that the journal does not know, but on
            the way back.
        """
        machine = Machine(self.plan, at=move.state if move else None)
        context = ContextBuilder(
            self.plan,
            self.kinds,
            self.ports,
            JournalHistory(self.journal),
            self.listener,
            run_id,
            directory,
            request,
            assume_yes,
        )
        self.listener.began(run_id, self.plan, facts)
        counted = dict(attempts or {})
        reason = self._find_reason(run_id, move) if move else ""
        known, limit = Known(facts, self.journal.ledger()), limit_transitions(self.plan)
        for _ in range(taken, limit + 1):  # arriving at an end takes none
            if machine.ended:
                return Ending(machine.state, self.plan.ends[machine.state], reason)
            spec = self.plan.states[machine.state]
            if move is not None and move.how is not How.ENTER:
                result, learned = self._settle(spec, move, context, known)
            else:
                counted[spec.name] = counted.get(spec.name, 0) + 1
                result, learned = self._visit(spec, counted[spec.name], context, known)
            move = None
            known = known.joined(learned)
            self.listener.learned(known.facts)
            if not reason and result.outcome != self.kinds[spec.kind].success:
                reason = result.reason
            machine.move(result.outcome)
        raise InvariantError("internal.no_end", f"The run took {limit} transitions without coming to an end.")

    def _find_reason(self, run_id: str, move: ResumeAction) -> str:
        """Why a run that is taken up had left the way forward before it was cut off, or does so now."""
        left = [record for record in self.journal.records(run_id) if record.record == "left"]
        off = [one for one in left if one.payload["outcome"] != self.kinds[self.plan.states[one.state].kind].success]
        before = next((str(one.payload["reason"]) for one in off), "")
        return before or (f"{move.found} {move.reason}" if move.how is not How.ENTER else "")

    def _visit(self, spec: StateSpec, attempt: int, build: ContextBuilder, known: Known) -> tuple[Result, Known]:
        state = self.kinds[spec.kind]()
        began = self.ports.clock.monotonic()
        entered = {"kind": spec.kind, "attempt": attempt, "deadline_s": spec.timeout_s}
        if changes := getattr(spec.options, "changes", ""):  # of a command of the operator's own: the runbook reads it
            entered["changes"] = changes
        self._record(build.run_id, "entered", spec, entered)
        self.listener.entered(spec.name, spec.kind)
        self.interruption.may_leave = self.interruption.may_leave or changes_app(state)
        if spec.attempts is not None and attempt > spec.attempts:
            reason = f"{spec.name} was tried {spec.attempts} times."
            result, learned = Result(EXHAUSTED, reason=reason, code="run.exhausted"), Known.of()
        else:
            # Where stopping half-way would harm, the wish is heard when the state is over.
            allowed = Deadline(self.ports.clock, spec.timeout_s)
            shield: AbstractContextManager[None] = (
                nullcontext()
                if state.interruptible
                else self.interruption.deferred(Deferral(spec.name, allowed.remaining_s))
            )
            with shield:
                result, learned = self._check_disk_room(state, spec) or self._act(state, spec, build, known)
        seconds = round(self.ports.clock.monotonic() - began, 3)
        self._leave(build.run_id, spec, result, known.joined(learned), learned, seconds)
        return result, learned

    def _settle(self, spec: StateSpec, move: ResumeAction, build: ContextBuilder, known: Known) -> tuple[Result, Known]:
        """Leave the state in which the run was cut off, without entering it again."""
        result = Result(move.outcome, reason=f"{move.found} {move.reason}", code="run.cut_off")
        if move.how is How.RECONCILE:
            deadline = Deadline(self.ports.clock, spec.timeout_s, what=f"State {spec.name}")
            result = self.kinds[spec.kind]().reconcile(build(spec, known, deadline)) or result
        learned = Known.of(result.facts)
        self._leave(build.run_id, spec, result, known.joined(learned), learned, 0.0)
        return result, learned

    def _leave(
        self, run_id: str, spec: StateSpec, result: Result, known: Known, learned: Known, seconds: float
    ) -> None:
        self.ports.mask.protect(find_fact_names(learned.facts))
        blame = self._find_blame(spec, result, known.facts)
        reason = self.ports.mask.text(blame.told(result.reason))
        payload = {
            "kind": spec.kind,  # a run that was taken up may leave a state that it never entered
            "outcome": result.outcome,
            "reason": reason,
            "to": spec.then[result.outcome],
            "seconds": seconds,
            **learned.to_json(),
            **blame.to_json(result.code),
        }
        self._record(run_id, "left", spec, payload)
        self.listener.left(spec.name, result.outcome, reason, seconds)

    def _find_blame(self, spec: StateSpec, result: Result, facts: Facts) -> Blame:
        failed = result.outcome in (FAILED, TIMEOUT) and result.code
        return find_blame(spec.kind, result.code, facts, self.ports) if failed else Blame(None)

    def _check_disk_room(self, state: StateKind[Any], spec: StateSpec) -> tuple[Result, Known] | None:
        """Once room is short on the journal's disk, nothing is begun any more that need not come to its end."""
        if not self.journal.short_of_room:
            return None
        if state.compensation or state.crash_rule is CrashRule.FORWARD or spec.name not in choose_forward(self.plan):
            self.journal.free_reserve()
            return None
        reason = f"The disk of the journal {self.journal.path} is full, so {spec.name} was not begun. Make room."
        return Result(FAILED, reason=reason, code=NO_SPACE), Known.of()

    def _act(self, state: StateKind[Any], spec: StateSpec, build: ContextBuilder, known: Known) -> tuple[Result, Known]:
        learned = Known.of()
        deadline = Deadline(self.ports.clock, spec.timeout_s, what=f"State {spec.name}", interruption=self.interruption)
        try:
            deadline.check()
            self._check_host(state, known.facts)
            learned = Known.of(state.prepare(build(spec, known, deadline)))
            self._record(build.run_id, "prepared", spec, learned.to_json())
            self.listener.learned(known.facts.joined(learned.facts))
            result = state.perform(build(spec, known.joined(learned), deadline))
            learned = learned.joined(Known.of(result.facts))  # also where nobody can look afterwards
            if result.outcome == DONE:
                result = self._observed(state, result, build(spec, known.joined(learned), deadline))
            result = self._honour_stop_request(result, spec, deadline)
        except DeadlineExceededError as error:
            return Result(TIMEOUT, reason=error.message(), code=error.code), learned
        except StateError as error:
            return Result(FAILED, reason=error.message(), code=error.code), learned
        if result.outcome not in spec.then:
            raise InvariantError("internal.unknown_outcome", f"Kind {spec.kind!r} reported {result.outcome!r}.")
        return result, learned

    def _check_host(self, state: StateKind[Any], facts: Facts) -> None:
        """Before anything is changed: is this still where the run began? What cannot be asked is no other place."""
        if state.scope is not EffectScope.NOTHING:
            with suppress(StateError):
                require_place(facts, self.ports)

    def _observed(self, state: StateKind[Any], result: Result, ctx: StateContext[Any]) -> Result:
        seen = state.observe(ctx)
        if seen is Observation.DONE:
            return result
        reason = f"{ctx.state} reported that it was done, but what is there is {seen.value}."
        return Result(FAILED, result.facts, reason, state.unseen_code)

    # Heard by the next state, a wish to stop would take the way back of that one, which may be longer.
    def _honour_stop_request(self, result: Result, spec: StateSpec, deadline: Deadline) -> Result:
        if self.interruption.leaving or FAILED not in spec.then:
            return result
        try:
            deadline.check()
        except InterruptedByOperatorError as error:
            return Result(FAILED, result.facts, error.message(), error.code)
        except DeadlineExceededError:
            pass  # what is done is done, however late
        return result

    def _record(self, run_id: str, record: str, spec: StateSpec, payload: Mapping[str, Any]) -> None:
        try:
            self.journal.append(run_id, self.ports.clock.now(), record, spec.name, payload)
        except JournalError as error:
            # What goes back can be repeated, so it may be ahead of the journal: users must not wait for room.
            if error.code != NO_SPACE or not self.kinds[spec.kind].compensation:
                raise
            warn("journal.record_lost", record=record, state=spec.name, reason=error.summary)


@dataclass(frozen=True)
class ContextBuilder:
    """Gives each state its context: what is the same for the whole run, and what is the state's own."""

    plan: Plan
    kinds: Kinds
    ports: Ports
    history: History
    listener: Listener
    run_id: str
    directory: Path
    request: ReleaseRequest
    assume_yes: bool

    def __call__(self, spec: StateSpec, known: Known, deadline: Deadline) -> StateContext[Any]:
        """The context of one call into a state."""
        return StateContext(
            run_id=self.run_id,
            state=spec.name,
            directory=self.directory,
            target=self._target,
            keep_backups=self.plan.backups.keep,
            steps=self._steps,
            worst_case_downtime_s=self._worst_case_downtime_s,
            gated=self._gated,
            request=self.request,
            assume_yes=self.assume_yes,
            options=spec.options,
            facts=known.facts,
            ledger=known.ledger,
            ports=self.ports,
            history=self.history,
            deadline=deadline,
            report=partial(self.listener.progressed, spec.name),
            rehearsed=self._rehearsed,
            tell=lambda line: self.listener.said(spec.name, self.ports.mask.text(line)),
        )

    # Once a run: each of them goes through all states, and each state asks for its context three times.
    @cached_property
    def _target(self) -> AppSpec:
        return build_target(self.plan, self.kinds)

    @cached_property
    def _steps(self) -> tuple[str, ...]:
        return tuple(name for name in choose_forward(self.plan) if name in self.plan.states)

    @cached_property
    def _worst_case_downtime_s(self) -> float:
        return worst_case_downtime_s(self.plan, self.kinds)

    @cached_property
    def _rehearsed(self) -> bool:
        return any(self.kinds[spec.kind].rehearses for spec in self.plan.states.values())

    @cached_property
    def _gated(self) -> bool:
        return is_gated(self.plan, self.kinds)


def worst_case_downtime_s(plan: Plan, kinds: Kinds) -> float:
    """Sum of the deadlines of all states that may run while users are without the app, each entered once."""
    gated = is_gated(plan, kinds)
    down = [
        spec.timeout_s
        for spec in plan.states.values()
        if kinds[spec.kind].crash_rule.app_may_be_down or (gated and kinds[spec.kind].opens_gate)
    ]
    return sum(down)


def is_gated(plan: Plan, kinds: Kinds) -> bool:
    """Whether a state of the plan starts the new version with a closed gate."""
    return any(kinds[spec.kind].closes_gate(spec.options) for spec in plan.states.values())
