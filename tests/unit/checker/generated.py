"""Plans that nobody would write, and some that somebody might: the shipped machines with one or two changes each."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from orchestrator.core.errors import PlanError
from orchestrator.plan.load import parse_plan, read_tree
from orchestrator.plan.schema import Plan
from orchestrator.plan.standard import build_standard_states
from orchestrator.plan.tree import Json, Problems
from states.registry import KINDS
from tests.unit.checker.mutants import command
from tests.unit.checker.plans import write_machine_of, write_plan

PLAIN = Path(__file__).parents[3] / "plans" / "plain.yaml"

Lines: TypeAlias = dict[str, dict[str, Json]]
_CHANGES = ("nothing", "app", "database")


def generate(seed: int, folder: Path) -> Iterator[Plan]:
    """Plans without end that the loader lets through; the same ones for the same seed."""
    chance = random.Random(seed)
    while True:
        initial, lines = _begin(chance)
        for _ in range(chance.choice((1, 1, 1, 2))):
            chance.choice(_EDITS)(lines, chance)
        try:
            yield parse_plan(write_plan(write_machine_of(lines, initial), project=folder), folder / "plan.yaml", KINDS)
        except PlanError:
            continue


def _begin(chance: random.Random) -> tuple[str, Lines]:
    if chance.random() < 0.3:
        tree = read_tree(PLAIN.read_text(encoding="utf-8"), PLAIN, Problems())
        return "backup", _to_lines(tree.entries["states"].node.to_json())
    lines = _to_lines(build_standard_states())
    if chance.random() < 0.7:  # a rehearsal takes most of the time, and does nothing to the app
        _skip(lines, "rehearse")
    return "check", lines


def _to_lines(states: Json) -> Lines:
    assert isinstance(states, dict)
    return {name: copy.deepcopy(line) for name, line in states.items() if isinstance(line, dict)}


def _then(line: Mapping[str, Json]) -> dict[str, Json]:
    then = line["then"]
    assert isinstance(then, dict)
    return then


def _states(lines: Lines) -> list[str]:
    return [name for name, line in lines.items() if "then" in line]


def _skip(lines: Lines, name: str) -> None:
    onward = next(iter(_then(lines.pop(name)).values()))
    for other in _states(lines):
        then = _then(lines[other])
        then.update({outcome: onward for outcome, target in then.items() if target == name})


def _redirect(lines: Lines, chance: random.Random) -> None:
    then = _then(lines[chance.choice(_states(lines))])
    then[chance.choice(sorted(then))] = chance.choice(sorted(lines))


def _drop(lines: Lines, chance: random.Random) -> None:
    _skip(lines, chance.choice(_states(lines)[1:]))


def _swap(lines: Lines, chance: random.Random) -> None:
    one, other = chance.sample(_states(lines), 2)
    lines[one], lines[other] = lines[other], lines[one]


def _interrupt(lines: Lines, chance: random.Random) -> None:
    _then(lines[chance.choice(_states(lines))])["interrupted"] = chance.choice(sorted(lines))


def _run_out(lines: Lines, chance: random.Random) -> None:
    _then(lines[chance.choice(_states(lines))])["timeout"] = chance.choice(sorted(lines))


def _insert(lines: Lines, chance: random.Random) -> None:
    before = chance.choice(_states(lines))
    then = _then(lines[before])
    outcome = next(iter(then))
    failed = chance.choice((str(then.get("failed", then[outcome])), chance.choice(sorted(lines))))
    lines["step"] = dict(_line(command(chance.choice(_CHANGES), done=str(then[outcome]), failed=failed, on="host")))
    then[outcome] = "step"


def _choose_options(lines: Lines, chance: random.Random) -> None:
    choices: Mapping[str, Json] = {
        "stop": {"snapshot": chance.random() < 0.2},
        "start": {"gate": chance.choice(("open", "closed"))},
        "pull": {"network": chance.random() < 0.5},
        "restore": {"keep_writes": True},
    }
    name = chance.choice([name for name in _states(lines) if lines[name]["kind"] in choices])
    lines[name]["with"] = choices[str(lines[name]["kind"])]


def _line(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value


_EDITS: tuple[Callable[[Lines, random.Random], None], ...] = (
    *(_redirect,) * 6,
    _drop,
    _drop,
    _swap,
    _interrupt,
    _interrupt,
    _run_out,
    _insert,
    _insert,
    _choose_options,
)
