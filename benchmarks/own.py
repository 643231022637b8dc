"""Our own backup and restore, in a process of its own whose memory can be looked at. Prints one JSON document.

python -m benchmarks.own backup PLAN             # runs the plan; when which progress was told of its backup
python -m benchmarks.own restore PLAN FILE NAME  # loads a file into a new database beside the live one
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from orchestrator.core.deadline import Deadline
from orchestrator.core.model.progress import Progress
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.live.operator import TerminalOperator
from orchestrator.run.listener import Listener
from orchestrator.wiring import build_ports, build_service, read_resolved_plan

_RESTORE_S = 3600.0


class StopWatch(Listener):
    """Notes when a state reported progress of which label last, in seconds since it was entered."""

    def __init__(self) -> None:
        self._entered = 0.0
        self.labels: dict[str, dict[str, float]] = {}
        self.states: dict[str, float] = {}

    def entered(self, state: str, kind: str) -> None:
        """Note that a state begins."""
        self._entered = time.monotonic()
        self.labels[state] = {}

    def progressed(self, state: str, progress: Progress) -> None:
        """Ignore progress."""
        self.labels[state][progress.label] = time.monotonic() - self._entered

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None:
        """Note that a state is over."""
        self.states[state] = time.monotonic() - self._entered


def main(arguments: Sequence[str]) -> int:
    """Do what is asked for."""
    command, plan, *rest = arguments
    found = backup(Path(plan)) if command == "backup" else restore(Path(plan), Path(rest[0]), rest[1])
    print(json.dumps(found))
    return 0


def backup(path: Path) -> dict[str, object]:
    """Run a plan that has a state `backup`; return the time to dump, to dump and prove, and in all."""
    watch = StopWatch()
    service = build_service(path, TerminalOperator())
    report = service.run(ReleaseRequest(), assume_yes=True, listener=watch)
    if report.backup is None:
        raise SystemExit(f"there is no backup: {report.run.reason}")
    told, taken_s = list(watch.labels["backup"].values()), report.backup.duration_s
    dumped_s = told[0] - (told[-1] - taken_s)  # the last progress is told when the proof is there
    return {"dump_s": dumped_s, "proof_s": taken_s, "state_s": watch.states["backup"], "file": str(report.backup.path)}


def restore(path: Path, file: Path, name: str) -> dict[str, object]:
    """Load a backup into a database that is made for it."""
    plan = read_resolved_plan(path)
    world = build_ports(plan, TerminalOperator())
    (store,) = world.stores
    like = store.properties(store.inspect().name)
    began = time.monotonic()
    deadline = Deadline(world.clock, _RESTORE_S)
    store.load_beside(world.backups.read(file), name, like=like, deadline=deadline)
    return {"restored_s": time.monotonic() - began}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
