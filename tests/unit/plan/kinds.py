"""Kinds of state as small as the plan language can know them, and a plan to write mistakes into."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from orchestrator.core.errors import PlanError
from orchestrator.core.facts import Fact
from orchestrator.core.model.effects import EffectScope
from orchestrator.plan.load import parse_plan
from orchestrator.plan.schema import Kind, Plan

DONE_OR_FAILED = {"done": "it is done", "failed": "it is not"}


class NoOptions(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class PullOptions(NoOptions):
    network: bool = True


class CommandOptions(NoOptions):
    run: tuple[str, ...]


@dataclass(frozen=True)
class SmallKind:
    kind: str
    outcomes: Mapping[str, str]
    Options: type[BaseModel] = NoOptions
    needs_database: bool = False
    timeout_s: float = 60.0
    summary: str = "Does something."
    provides: tuple[type[Fact], ...] = ()
    compensation: bool = False
    scope: EffectScope = EffectScope.NOTHING
    opens_gate: bool = False
    former_names: tuple[str, ...] = ()

    def closes_gate(self, options: BaseModel) -> bool:
        return getattr(options, "gate", "") == "closed"


KINDS: Mapping[str, Kind] = {
    kind.kind: kind
    for kind in (
        SmallKind("check", {"newer": "there is one", "current": "there is none", "failed": "who knows"}),
        SmallKind("backup", DONE_OR_FAILED, needs_database=True),
        SmallKind("pull", DONE_OR_FAILED, Options=PullOptions, timeout_s=1800.0),
        SmallKind("command", DONE_OR_FAILED, Options=CommandOptions),
        SmallKind("wait", {"done": "it is done"}),
        SmallKind("endless", DONE_OR_FAILED, timeout_s=float(48 * 3600)),
    )
}

HEAD = """\
plan: 1
name: shop
target: {project: shop, services: [app], image: example.org/shop}
database: {service: db}
releases: {source: github, repository: you/shop}
backups: {directory: backups}
"""

STATES = """\
initial: fetch
states:
  fetch: {kind: pull, then: {done: save, failed: refused}}
  save: {kind: backup, then: {done: good, failed: refused}, timeout: 1h30m}
  good: {end: committed}
  refused: {end: refused}
"""

SOURCE = Path("/srv/plans/shop.yaml")


def parse(text: str = HEAD + STATES) -> Plan:
    return parse_plan(text, SOURCE, KINDS)


def problems_of(text: str, *, code: str = "plan.invalid") -> list[str]:
    """What is wrong with a plan, each as ``line:column: …``."""
    with pytest.raises(PlanError) as caught:
        parse(text)
    assert caught.value.code == code
    return [problem.removeprefix(f"{SOURCE}:") for problem in caught.value.problems]


def machine_problems(states: str, initial: str = "a") -> list[str]:
    """What is wrong with a machine whose states are written one a line."""
    return problems_of(f"{HEAD}initial: {initial}\nstates:\n{states}")
