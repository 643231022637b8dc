"""Collect the evidence of a case: the world, the journal, the report and the trace of all its processes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestrator.core.facts import Fact, Facts, FactT
from orchestrator.core.ledger import Ledger
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.state_kind import StateKind
from orchestrator.journal.journal import Journal, Record, Run
from orchestrator.plan.schema import Plan
from orchestrator.reports.report import RunReport, build_report
from states.registry import KINDS
from tests.tools.build import RECOVERY
from tests.tools.moments import Moment, Step, observe
from tests.tools.world import FakeWorld


@dataclass(frozen=True)
class Things:
    """What can be made or taken away in a world, by name; a container with its id, in ``containers``."""

    databases: Mapping[str, str]
    image_names: frozenset[str]
    containers: Mapping[str, str]
    jobs: Mapping[str, bool]
    files: frozenset[Path]
    stages: frozenset[str]

    @classmethod
    def of(cls, world: FakeWorld) -> Things:
        """All of them now."""
        return cls(
            databases={name: one.identity for name, one in world.databases.items()},
            image_names=frozenset(name for image in world.images for name in image.names),
            containers={name: f"{one.container_id} {one.state}" for name, one in world.containers.items()},
            jobs={name: job.running for name, job in world.jobs.items()},
            files=frozenset(world.files),
            stages=frozenset(world.stages),
        )


@dataclass(frozen=True)
class Evidence:
    """One case. ``ended_in`` is the number of the process that brought the run to its end.

    ``exit_code`` is what that process ended with, ``document`` what it printed, where it did.
    """

    plan: Plan
    before: Things
    world: FakeWorld
    run: Run
    records: tuple[Record, ...]
    report: RunReport
    exit_code: int | None
    steps: tuple[Step, ...]
    ended_in: int
    document: Mapping[str, object] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def kinds(self) -> Mapping[str, type[StateKind[Any]]]:
        """All kinds of states."""
        return KINDS

    @cached_property
    def end(self) -> Moment:
        """How it is now."""
        return observe(self.world)

    @cached_property
    def facts(self) -> Facts:
        """All that the run has proven."""
        facts = Facts()
        for record in self.records:
            facts = facts.joined(Facts(record.payload.get("facts")))
        return facts

    @cached_property
    def moments(self) -> tuple[tuple[Step, Moment], ...]:
        """The steps around effects, each with what was so."""
        return tuple((step, step.moment) for step in self.steps if step.moment is not None)

    @property
    def safe(self) -> bool:
        """Whether it ended without a need for its operator."""
        return self.run.verdict not in (None, Verdict.NEEDS_OPERATOR, Verdict.INTERNAL_ERROR)

    def find(self, kind: type[FactT]) -> FactT | None:
        """What the run has proven of this kind."""
        return self.facts.find(kind)

    def known_after(self, kind: type[Fact]) -> int | None:
        """After how many records the journal knew a fact of this kind first; None if it never did."""
        counts = (n for n, record in enumerate(self.records, 1) if kind.fact in (record.payload.get("facts") or {}))
        return next(counts, None)

    def kind_of(self, state: str) -> type[StateKind[Any]]:
        """The kind of a state of the plan."""
        return KINDS[self.plan.states[state].kind]

    def is_prepared(self, kind: str) -> bool:
        """Whether the journal says that a state of this kind may have begun to change something."""
        return any(r.record == "prepared" and self.plan.states[r.state].kind == kind for r in self.records)

    def left_done(self, kind: str) -> int | None:
        """After how many records a state of this kind was done for the last time; None if never."""
        done = [
            number
            for number, record in enumerate(self.records, 1)
            if record.record == "left"
            and record.payload["outcome"] == "done"
            and self.plan.states[record.state].kind == kind
        ]
        return done[-1] if done else None


def read_evidence(
    plan: Plan,
    before: Things,
    world: FakeWorld,
    steps: tuple[Step, ...],
    *,
    ended_in: int,
    exit_code: int | None = None,
    document: Mapping[str, object] | None = None,
) -> Evidence:
    """The evidence of the newest run in the journal; without ``exit_code``, as its report has it."""
    with closing(Journal.open(plan.journal_directory)) as journal:
        run = journal.runs()[0]
        records, ledger = journal.records(run.id), journal.ledger()
    report = build_report(run, records, RECOVERY)
    code = run.exit_code if exit_code is None else exit_code
    return Evidence(plan, before, world, run, records, report, code, steps, ended_in, document or {}, ledger)
