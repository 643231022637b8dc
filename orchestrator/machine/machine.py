"""Turn a plan into a machine: the table of transitions, held by the ``transitions`` library, which refuses all others.

No effect happens in a callback: the runner acts, journals, and then fires the outcome as the trigger.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import transitions

from orchestrator.core.errors import InvariantError
from orchestrator.plan.schema import Plan


@dataclass(frozen=True)
class Edge:
    """(state, outcome) → state."""

    source: str
    outcome: str
    target: str


class _Position:
    """The model object that the library moves; the library sets ``state``."""

    state: str


class Machine:
    """The position of a run, and the target of each outcome."""

    def __init__(self, plan: Plan, *, at: str | None = None) -> None:
        self._plan = plan
        self._position = _Position()
        self._machine = transitions.Machine(
            model=self._position,
            states=[*plan.states, *plan.ends],
            initial=at or plan.initial,
            auto_transitions=False,  # with it N states make N² triggers that no plan wrote
            transitions=[[edge.outcome, edge.source, edge.target] for edge in edges(plan)],
        )

    @property
    def state(self) -> str:
        """Name of the state of the run."""
        return self._position.state

    @property
    def ended(self) -> bool:
        """Whether that is an end."""
        return self.state in self._plan.ends

    def move(self, outcome: str) -> str:
        """Fire the outcome and return the state it leads to.

        Raises:
            InvariantError: the plan has no such transition; the loader lets no such plan through.
        """
        try:
            moved = self._position.trigger(outcome)  # type: ignore[attr-defined]  # added by the library
        except (transitions.MachineError, AttributeError) as error:
            raise InvariantError(
                "internal.no_transition", f"State {self.state!r} reported {outcome!r}, which leads nowhere."
            ) from error
        if not moved:
            raise InvariantError("internal.no_transition", f"The transition {outcome!r} of {self.state!r} was refused.")
        return self.state


def edges(plan: Plan) -> Iterator[Edge]:
    """Yield all transitions of a plan, in its own order."""
    for state in plan.states.values():
        for outcome, target in state.then.items():
            yield Edge(state.name, outcome, target)


def choose_forward(plan: Plan) -> tuple[str, ...]:
    """Return the path when all goes well: the first outcome of each state, as the plan writes them."""
    return follow(plan, plan.initial)


def follow(plan: Plan, name: str) -> tuple[str, ...]:
    """Return the path from a state on when all goes well, that state first."""
    path: dict[str, None] = {}
    while name not in path:
        path[name] = None
        if name in plan.ends:
            break
        name = next(iter(plan.states[name].then.values()))
    return tuple(path)
