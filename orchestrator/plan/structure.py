"""Check the plan as a graph: what is reached, what ends, what may loop for ever, and how long a run can take."""

from collections.abc import Callable, Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from orchestrator.core.model.verdict import Verdict
from orchestrator.core.state_kind import DONE, EXHAUSTED, Kinds
from orchestrator.plan.schema import Plan, StateSpec
from orchestrator.plan.states import States
from orchestrator.plan.tree import Node, Problems

Graph = Mapping[str, Collection[str]]


def check_graph(written: Node, initial: str, states: States, problems: Problems) -> None:
    """Add to ``problems`` where the states, each sound by itself, do not make a machine (G1, G7, G11)."""
    graph = _build_graph(states.states) | dict.fromkeys(states.ends, ())
    reached, ending = _reach(graph, initial), _find_ending(graph, states.ends)
    for name in graph:
        if name not in reached:
            problems.add(
                written.entries[name].position,
                ("states", name),
                f"nothing leads here from `{initial}`; let an outcome lead here or remove it (G1)",
            )
        elif name not in ending:
            text = "no end can be reached from here; let an outcome lead to an end (G1)"
            problems.add(written.entries[name].position, ("states", name), text)
    if not states.ends:
        text = "the machine has no end; write one, such as `done: {end: committed}` (G11)"
        problems.add(written.position, ("states",), text)
    for cycle in _find_cycles(_build_unbounded_graph(states.states)):
        text = (
            f"`{'` → `'.join([*cycle, cycle[0]])}` could go round for ever; give one of these states "
            "`attempts: N` and `then: {exhausted: …}` (G7)"
        )
        problems.add(written.entries[cycle[0]].position, ("states", cycle[0]), text)


def check_gate_opens(written: Node, states: States, kinds: Kinds, problems: Problems) -> None:
    """Add to ``problems`` where a closed gate stays closed up to an end that says the new version serves (X1)."""
    graph: Graph = {
        name: [to for outcome, to in state.then.items() if outcome != DONE or not kinds[state.kind].opens_gate]
        for name, state in states.states.items()
    }
    for name, state in states.states.items():
        if not kinds[state.kind].closes_gate(state.options):
            continue
        ends = [end for end in _reach(graph, name) if states.ends.get(end) is Verdict.COMMITTED]
        if ends:
            text = (
                f"its gate is still closed at `{min(ends)}`, so no user would reach the new version; "
                "let a `commit` state lie between, or write `gate: open` (X1)"
            )
            problems.add(written.entries[name].position, ("states", name), text)


def longest_path_s(plan: Plan, start: str | None = None) -> float:
    """Return the most seconds that a run can take from ``start`` (left out: the initial state) to its end.

    The sum of the deadlines along the longest path. States that can repeat count as often as `attempts` lets
    them. An upper bound: exact where no state can be entered twice.
    """
    return _longest(plan, start or plan.initial, _group_s)


def longest_path_transitions(plan: Plan) -> int:
    """Return the most transitions of a run; an upper bound as in `longest_path_s`, counting each `exhausted` too."""
    return round(_longest(plan, plan.initial, _group_transitions))


def _longest(plan: Plan, start: str, weigh: Callable[[list[StateSpec]], float]) -> float:
    graph = _build_graph(plan.states)
    reach = {name: _reach(graph, name) for name in graph}
    groups = {name: frozenset(other for other in reach[name] & graph.keys() if name in reach[other]) for name in graph}
    after = {
        group: {groups[target] for name in group for target in graph[name] if target in graph} - {group}
        for group in groups.values()
    }
    longest: dict[frozenset[str], float] = {}
    for group in TopologicalSorter(after).static_order():
        own = weigh([plan.states[name] for name in group])
        longest[group] = own + max((longest[target] for target in after[group]), default=0.0)
    return longest[groups[start]] if start in groups else 0.0


def _group_transitions(states: list[StateSpec]) -> float:
    if len(states) == 1 and states[0].name not in states[0].then.values():
        return 1
    rounds = sum(state.attempts or 0 for state in states)
    return sum((state.attempts or rounds) + 1 for state in states)


def _group_s(states: list[StateSpec]) -> float:
    """Bound the seconds in states that lead to each other; between two bounded entries, each other one comes once."""
    rounds = sum(state.attempts or 0 for state in states)
    if len(states) == 1 and states[0].name not in states[0].then.values():
        return states[0].timeout_s
    return sum(state.timeout_s * (state.attempts or rounds + 1) for state in states)


def _build_graph(states: Mapping[str, StateSpec]) -> dict[str, Collection[str]]:
    return {name: tuple(state.then.values()) for name, state in states.items()}


def _build_unbounded_graph(states: Mapping[str, StateSpec]) -> dict[str, set[str]]:
    """Build the graph in which every bounded state has used its attempts: only `exhausted` leaves it."""
    return {
        name: {state.then[EXHAUSTED]} if state.attempts else {t for t in state.then.values() if t in states}
        for name, state in states.items()
    }


def _find_ending(graph: Graph, ends: Collection[str]) -> set[str]:
    """Return all states from which an end can be reached."""
    sources: dict[str, list[str]] = {}
    for source, targets in graph.items():
        for target in targets:
            sources.setdefault(target, []).append(source)
    return _reach(sources, *ends)


def _reach(graph: Graph, *starts: str) -> set[str]:
    reached, waiting = set(starts), list(starts)
    while waiting:
        for target in graph.get(waiting.pop(), ()):
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached


def _find_cycles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """Return cycles that share no state, each beginning with the state that the plan names first."""
    order = list(graph)
    while True:
        predecessors: dict[str, set[str]] = {name: set() for name in graph}
        for source, targets in graph.items():
            for target in targets & graph.keys():
                predecessors[target].add(source)
        try:
            TopologicalSorter(predecessors).prepare()
        except CycleError as error:
            cycle: list[str] = error.args[1][:-1]
            first = cycle.index(min(cycle, key=order.index))
            yield cycle[first:] + cycle[:first]
            graph = {name: targets - {*cycle} for name, targets in graph.items() if name not in cycle}
        else:
            return
