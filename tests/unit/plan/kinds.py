"""Kinds of state as small as the plan language can know them, and a plan to write mistakes into."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.errors import PlanError
from orchestrator.core.state_kind import Kind, Kinds, Options, StateKind
from orchestrator.plan.load import parse_plan
from orchestrator.plan.schema import Plan

DONE_OR_FAILED = {"done": "it is done", "failed": "it is not"}


class PullOptions(Options):
    network: bool = True


class CommandOptions(Options):
    run: tuple[str, ...]


def declare(name: str, outcomes: Mapping[str, str], **declared: Any) -> Kind:
    """A kind that is declared and never performed: the plan language reads no more of it."""
    return type(name, (StateKind,), {"kind": name, "outcomes": outcomes, "summary": "Does something.", **declared})


KINDS: Kinds = {
    kind.kind: kind
    for kind in (
        declare("check", {"newer": "there is one", "current": "there is none", "failed": "who knows"}),
        declare("backup", DONE_OR_FAILED, needs_database=True),
        declare("pull", DONE_OR_FAILED, Options=PullOptions, timeout_s=1800.0),
        declare("command", DONE_OR_FAILED, Options=CommandOptions),
        declare("wait", {"done": "it is done"}),
        declare("endless", DONE_OR_FAILED, timeout_s=float(48 * 3600)),
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
