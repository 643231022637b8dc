"""Derive the machines of `orchestrator rollback` and `orchestrator backups restore` from the operator's own plan.

Both exchange the data, start the version that belongs to them and prove it as any upgrade does; when that fails, both
go back to the version that served before. Deadlines and options of the states come from the plan, where it has them.
"""

from collections.abc import Mapping, Set
from dataclasses import replace
from pathlib import Path

from orchestrator.core.state_kind import Kinds
from orchestrator.plan.schema import Plan, StateSpec
from orchestrator.plan.standard import build_state
from orchestrator.plan.states import read_states
from orchestrator.plan.tree import Entry, Json, Position, Problems, build_node

_NOWHERE = Position(1, 1)
_INHERITED = frozenset({"backup", "stop", "start", "health", "commit", "restore", "rollback"})


def derive_rollback(plan: Plan, kinds: Kinds) -> Plan:
    """Derive the machine back to the version and the data that the last upgrade replaced."""
    return _derive(
        plan,
        kinds,
        "find_previous",
        {
            "find_previous": build_state("find_previous", done="confirm", failed="refused"),
            "confirm": build_state("confirm", accepted="backup", declined="refused", failed="refused"),
            "backup": build_state("backup", done="stop", failed="refused"),
            **_exchange(before="rolled_back"),
        },
    )


def derive_reload(plan: Plan, kinds: Kinds, file: Path, *, foreign: bool) -> Plan:
    """Derive the machine that brings the data of a backup; the version stays."""
    options: dict[str, Json] = {"file": str(file), "foreign": foreign}
    return _derive(
        plan,
        kinds,
        "restore_beside",
        {
            "restore_beside": build_state("restore_beside", done="confirm", failed="drop_restored") | {"with": options},
            "confirm": build_state("confirm", accepted="backup", declined="drop_restored", failed="drop_restored"),
            "backup": build_state("backup", done="stop", failed="drop_restored"),
            "drop_restored": build_state("drop_restored", done="refused", failed="refused"),
            **_exchange(before="tidy"),
            "tidy": build_state("drop_restored", done="rolled_back", failed="rolled_back"),
        },
    )


def derive_again(plan: Plan, kinds: Kinds, request: Mapping[str, object], recorded: Set[str]) -> Plan:
    """Derive the machine of an earlier run from the request in its journal.

    ``recorded``: names of states in its records. A run that began under the former names of kinds keeps them.
    """
    if request.get("operation") == "rollback":
        return _name_as_recorded(derive_rollback(plan, kinds), kinds, recorded)
    if request.get("operation") == "restore":
        again = derive_reload(plan, kinds, Path(str(request["file"])), foreign=bool(request["foreign"]))
        return _name_as_recorded(again, kinds, recorded)
    return plan


def _name_as_recorded(plan: Plan, kinds: Kinds, recorded: Set[str]) -> Plan:
    former = {name: old for name in kinds for old in kinds[name].former_names}
    if recorded.isdisjoint(former.values()):
        return plan
    states = {
        former.get(name, name): replace(
            spec,
            name=former.get(name, name),
            then={outcome: former.get(target, target) for outcome, target in spec.then.items()},
        )
        for name, spec in plan.states.items()
    }
    return replace(plan, initial=former.get(plan.initial, plan.initial), states=states)


def _exchange(*, before: str) -> dict[str, Json]:
    """Build the states from the stop to an end; ``before`` follows once the version of before serves again."""
    return {
        "stop": build_state("stop", done="swap_in", failed="rollback") | {"with": {"snapshot": False}},
        "swap_in": build_state("swap_in", done="start", failed="restore"),
        "start": build_state("start", done="health", failed="restore"),
        "health": build_state("health", done="commit", failed="restore"),
        "commit": build_state("commit", done="exchanged", failed="stranded"),
        "restore": build_state("restore", done="rollback", failed="stranded"),
        "rollback": build_state("rollback", done=before, failed="stranded"),
        "refused": {"end": "refused"},
        "exchanged": {"end": "committed"},
        "rolled_back": {"end": "rolled_back"},
        "stranded": {"end": "needs_operator"},
    }


def _derive(plan: Plan, kinds: Kinds, initial: str, states: dict[str, Json]) -> Plan:
    problems = Problems()
    found = read_states(Entry(_NOWHERE, build_node(states, _NOWHERE)), kinds, problems, plan.source.absolute().parent)
    problems.raise_if_any(plan.source)
    own = {spec.kind: spec for spec in plan.states.values() if spec.kind in _INHERITED}
    derived = {name: _inherit(spec, own.get(spec.kind), states[name]) for name, spec in found.states.items()}
    return replace(plan, initial=initial, states=derived, ends=found.ends)


def _inherit(spec: StateSpec, own: StateSpec | None, written: Json) -> StateSpec:
    if own is None:
        return spec
    keeps_options = isinstance(written, dict) and "with" in written
    return replace(spec, timeout_s=own.timeout_s, options=spec.options if keeps_options else own.options)
