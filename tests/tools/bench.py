"""A world, a plan for it, and the real service on both."""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.plan.load import parse_plan
from orchestrator.plan.standard import STANDARD_INITIAL, build_standard_states
from orchestrator.reports.report import RunReport
from orchestrator.run.listener import Listener
from orchestrator.run.service import Service
from states.registry import KINDS
from tests.faults.invariants.evidence import Things
from tests.tools.build import announce_up_to, make_ports, make_world
from tests.tools.outside import FakeOperator
from tests.tools.world import FakeWorld

HEADER = """\
plan: 1
name: ledger
target:
  project: {project}
  services: [app]
  image: registry.example/ledger
  {migrate}
  health: {{url: "http://localhost:5100/health", steady_for: 2s, {health}version: {{url: "http://localhost:5100/version"}}}}
database: {{service: db}}
releases: {{source: file, path: releases.json}}
backups: {{directory: {backups}}}
"""


def write_machine_without_rehearsal() -> str:
    """The standard machine as it is for an operator who takes the state `rehearse` out: bad releases go live."""
    states = {name: state for name, state in build_standard_states().items() if name != "rehearse"}
    return json.dumps(states).replace('"done": "rehearse"', '"done": "stop"')


FORWARD = (
    *("check", "preflight", "confirm", "prefetch", "backup", "stop"),
    *("pull", "migrate", "start", "health", "commit", "cleanup"),
)
BACK = ("restore", "rollback")
WITHOUT_REHEARSAL = f"initial: {STANDARD_INITIAL}\nstates: {write_machine_without_rehearsal()}\n"


class Recorder(Listener):
    """Remembers the path."""

    def __init__(self) -> None:
        self.path: list[tuple[str, str]] = []

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None:
        self.path.append((state, outcome))


class Bench:
    """A world, a plan for it, and a way to run it."""

    def __init__(
        self,
        folder: Path,
        machine: str = "",
        operator: FakeOperator | None = None,
        *,
        migrate: str = "migrate: [app, migrate]",
        health: str = "",
        url: str = "http://localhost:5100",
    ) -> None:
        self.world: FakeWorld = make_world(folder)
        announce_up_to(self.world, "v1.1.0")
        self.before = Things.of(self.world)
        text = (
            HEADER.format(
                migrate=migrate,
                health=health,
                project=self.world.project_directory,
                backups=self.world.backup_directory,
            )
            + machine
        )
        text = text.replace("http://localhost:5100", url)
        self.plan = parse_plan(text, folder / "plan.yaml", KINDS)
        self.recorder = Recorder()
        self.service = Service(self.plan, KINDS, make_ports(self.world, operator=operator))

    def run(self, version: str | None = None, *, force: bool = True, retry: bool = False) -> RunReport:
        if version:
            announce_up_to(self.world, version)
        request = ReleaseRequest(version=version, retry=retry)
        return self.service.run(request, assume_yes=force, listener=self.recorder)

    def path(self) -> list[str]:
        return [state for state, _ in self.recorder.path]


def serving_version(world: FakeWorld) -> str | None:
    serving = world.serving()
    return serving.version if serving else None
