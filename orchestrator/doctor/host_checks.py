"""Checks of what is on this host: plan, journal, lock, backup folder, clock."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator.checker.findings import Finding as Danger
from orchestrator.core.errors import BusyError, JournalError, PlanError, UnfinishedRunError
from orchestrator.doctor.findings import Doubt
from orchestrator.journal.file_permissions import require_own
from orchestrator.journal.journal import Journal
from orchestrator.journal.lock import find_owner
from orchestrator.journal.reserve import RESERVE_BYTES, read_free_bytes
from orchestrator.plan.schema import Plan
from orchestrator.redaction.redactor import Redactor

_CLOCK_TOLERANCE = timedelta(minutes=5)


def check_plan_findings(plan: Plan, dangers: Sequence[Danger]) -> str:
    """It is safe on every way through it."""
    errors = [danger.what for danger in dangers if danger.is_error]
    if errors:
        raise PlanError("plan.unsafe", f"{plan.source} could do harm: {errors[0]}.", hint="`lint` shows the way there.")
    if dangers:
        more = f" (and {len(dangers) - 1} more)" if len(dangers) > 1 else ""
        raise Doubt("doctor.plan_warning", f"It is safe, but {dangers[0].what}{more}.", hint=dangers[0].mend)
    return f"{len(plan.states)} states, safe on every way through them"


def check_journal(plan: Plan) -> str:
    """It is ours and whole, and another run can be recorded, with room for a way back."""
    folder = plan.journal_directory
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    try:
        require_own(folder, folder / "journal.sqlite3", folder / "lock")
        with tempfile.TemporaryFile(dir=there):
            pass
        free_bytes = read_free_bytes(there)
    except OSError as error:
        raise JournalError(
            "journal.not_writable",
            f"Nothing can be recorded in {folder}: {error.strerror}.",
            hint="Run as a user who may write the project's folder.",
        ) from error
    if free_bytes < 2 * RESERVE_BYTES:
        needed = 2 * RESERVE_BYTES // 1024
        raise JournalError("doctor.no_room", f"{folder} has {free_bytes // 1024} KiB left; {needed} KiB are needed.")
    journal = Journal.open_existing(folder)
    if journal is None:
        return f"{folder}, no run yet"
    with closing(journal):
        return f"{folder}, {len(journal.runs())} runs, whole"


def check_lock(plan: Plan) -> str:
    """No run is at work."""
    owner = find_owner(plan.target.project / ".orchestrator")
    if owner:
        raise BusyError("lock.held", f"{owner} is upgrading this project.", hint="Wait until it is over.")
    return "free"


def check_unfinished(plan: Plan) -> str:
    """No run was cut off."""
    journal = Journal.open_existing(plan.journal_directory)
    if journal is None:
        return "none"
    with closing(journal):
        run = journal.find_unfinished()
    if run is not None:
        raise UnfinishedRunError("run.unfinished", f"Run {run.id} has no end: it was cut off.", hint="End it first.")
    return "none"


def check_clock(plan: Plan, now: datetime, published_at: datetime | None) -> str:
    """It is not behind what is known to have happened."""
    known = [published_at] if published_at else []
    journal = Journal.open_existing(plan.journal_directory)
    if journal is not None:
        with closing(journal):
            known += [run.ended_at or run.began_at for run in journal.runs()[:1]]
    latest = max(known, default=now)
    if latest - now > _CLOCK_TOLERANCE:
        raise Doubt("doctor.clock", f"The clock says {now:%Y-%m-%d %H:%M} UTC, but {latest:%Y-%m-%d %H:%M} has been.")
    return f"{now:%Y-%m-%d %H:%M:%S} UTC"


def check_secrets(mask: Redactor) -> str:
    """None of the app's passwords is a name too: names are told in every report, and cannot be masked."""
    found = mask.find_open_secrets()
    if found:
        told = "; ".join(
            f"a password of {owner or 'the project'} is also the name of a {what}, {name}"
            for name, (owner, what) in found.items()
        )
        raise Doubt(
            "doctor.open_secret",
            f"{told[0].upper()}{told[1:]}: it cannot be masked in logs and reports.",
            hint="Change that password to one that is no name; until then, look through what you pass on.",
        )
    return "none is a name too, so that each can be masked"


def check_privacy(folder: Path) -> None:
    """Raise a `Doubt` where others may look into the folder of backups."""
    if folder.is_dir() and folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(folder.stat().st_mode)
        raise Doubt("doctor.folder_open", f"{folder} can be written, but others may look into it (mode {mode:04o}).")
