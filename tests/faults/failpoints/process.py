"""The real command line with points around its real adapters, killed by SIGKILL where it is told to die.

    python -m tests.faults.failpoints.process --die-at workloads.start_job.after -- run upgrade.yaml --force
    python -m tests.faults.failpoints.process --record reached.txt -- recover upgrade.yaml

``--record`` appends one line for each point that is reached, ``effect workloads.start_job.before``; a run without
``--die-at`` so tells which names there are.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

from orchestrator import wiring
from orchestrator.cli import main as orchestrator
from orchestrator.core.ports.operator import Operator
from orchestrator.core.state_kind import Ports
from orchestrator.plan.schema import Plan
from tests.faults.failpoints.points import Failpoints, Killing
from tests.faults.failpoints.wrapping import journal_watched, wrap


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command to its end, or to its death. Exits as the command does."""
    parser = argparse.ArgumentParser(prog="tests.faults.failpoints.process")
    parser.add_argument("--die-at", metavar="POINT")
    parser.add_argument("--record", metavar="FILE", type=Path)
    parser.add_argument("command", nargs="+", help="after `--`: what comes after `orchestrator`")
    told = parser.parse_args(arguments)
    run_command(told.command, Killing(die_at=told.die_at, record=told.record))


def run_command(command: Sequence[str], points: Failpoints) -> None:
    """The command line in this process, with points around every port and the journal. Raises `SystemExit`."""
    build = wiring.build_ports

    def build_wrapped(plan: Plan, operator: Operator) -> Ports:
        return wrap(build(plan, operator), points)

    with patch.object(wiring, "build_ports", build_wrapped), journal_watched(points):
        orchestrator(args=list(command), prog_name="orchestrator")


if __name__ == "__main__":
    main()
