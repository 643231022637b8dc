"""Write a journal with many recorded runs."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.core.model.verdict import Verdict
from orchestrator.journal.journal import Journal, Run

_BEGAN = datetime(2020, 1, 1, tzinfo=UTC)
_STATES = ("check", "preflight", "confirm", "backup", "stop", "migrate", "start", "health", "commit")


def build_run_record(run_id: str, began_at: datetime = _BEGAN) -> Run:
    """Build the record of a run that begins."""
    return Run(
        id=run_id,
        plan_name="ledger",
        plan_sha256="0" * 64,
        plan_source="/opt/ledger/plan.yaml",
        pid=1,
        boot_id="",
        request={},
        began_at=began_at,
        ended_at=None,
        verdict=None,
        end_state=None,
        exit_code=None,
        reason="",
    )


def write_past(directory: Path, runs: int) -> None:
    """Make a journal of ``runs`` refused runs in a folder that has none, with the journal's own hands.

    Written in memory first, where a durable record costs nothing.
    """
    quick = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=quick if quick.is_dir() else None) as folder:
        place = Path(folder) / "journal"
        with closing(Journal.open(place)) as journal:
            for number in range(runs):
                _write_run(journal, f"r-past-{number:06}", _BEGAN + timedelta(hours=number))
        directory.mkdir(mode=0o700)
        for file in place.iterdir():
            shutil.copy(file, directory)


def _write_run(journal: Journal, run_id: str, at: datetime) -> None:
    journal.begin(build_run_record(run_id, at), tool_version="bench")
    for state in _STATES:
        payload = {"kind": state, "outcome": "done", "reason": "", "to": "next", "seconds": 0.1, "facts": {}}
        for record in ("entered", "left"):
            journal.append(run_id, at, record, state, {**payload, "attempt": 1, "deadline_s": 60.0})
    journal.end(run_id, at, Verdict.REFUSED, "refused", 10, "Nobody agreed.")
