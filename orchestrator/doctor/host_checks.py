"""Check what is on this host: plan, journal, lock, backup folder, clock."""

import stat
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator.checker.findings import Finding as PlanFinding
from orchestrator.core.errors import BusyError, JournalError, PlanError, UnfinishedRunError
from orchestrator.doctor.check_runner import DoctorWarning
from orchestrator.journal.file_permissions import require_own
from orchestrator.journal.journal import Journal, Run
from orchestrator.journal.lock import find_owner
from orchestrator.journal.reserve import RESERVE_BYTES, read_free_bytes
from orchestrator.plan.schema import Plan
from orchestrator.redaction.redactor import Redactor

_CLOCK_TOLERANCE = timedelta(minutes=5)


def check_plan_findings(plan: Plan, plan_findings: Sequence[PlanFinding]) -> str:
    """Check that the plan is safe on every path."""
    errors = [one.problem for one in plan_findings if one.is_error]
    if errors:
        raise PlanError("plan.unsafe", f"{plan.source} could do harm: {errors[0]}.", hint="`lint` shows the way there.")
    if plan_findings:
        more = f" (and {len(plan_findings) - 1} more)" if len(plan_findings) > 1 else ""
        raise DoctorWarning(
            "doctor.plan_warning", f"It is safe, but {plan_findings[0].problem}{more}.", hint=plan_findings[0].remedy
        )
    return f"{len(plan.states)} states, safe on every way through them"


def check_journal(plan: Plan) -> str:
    """Check that the journal is ours and whole, and that another run fits, with room for a way back."""
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
    runs = _read_runs(plan)
    return f"{folder}, no run yet" if runs is None else f"{folder}, {len(runs)} runs, whole"


def check_lock(plan: Plan) -> str:
    """Check that no run is at work."""
    owner = find_owner(plan.target.project / ".orchestrator")
    if owner:
        raise BusyError("lock.held", f"{owner} is upgrading this project.", hint="Wait until it is over.")
    return "free"


def check_unfinished(plan: Plan) -> str:
    """Check that no run was cut off."""
    run = next((run for run in _read_runs(plan) or () if run.verdict is None), None)
    if run is not None:
        raise UnfinishedRunError("run.unfinished", f"Run {run.id} has no end: it was cut off.", hint="End it first.")
    return "none"


def check_clock(plan: Plan, now: datetime, published_at: datetime | None) -> str:
    """Check that the clock is not behind events that are known to have happened."""
    newest = (_read_runs(plan) or ())[:1]
    known = [*([published_at] if published_at else []), *(run.ended_at or run.began_at for run in newest)]
    latest = max(known, default=now)
    if latest - now > _CLOCK_TOLERANCE:
        raise DoctorWarning(
            "doctor.clock", f"The clock says {now:%Y-%m-%d %H:%M} UTC, but {latest:%Y-%m-%d %H:%M} has been."
        )
    return f"{now:%Y-%m-%d %H:%M:%S} UTC"


def check_secrets(mask: Redactor) -> str:
    """Check that no password of the app is also a name: names are in every report and cannot be masked."""
    found = mask.find_open_secrets()
    if found:
        told = "; ".join(
            f"a password of {owner or 'the project'} is also the name of a {what}, {name}"
            for name, (owner, what) in found.items()
        )
        raise DoctorWarning(
            "doctor.open_secret",
            f"{told[0].upper()}{told[1:]}: it cannot be masked in logs and reports.",
            hint="Change that password to one that is no name; until then, look through what you pass on.",
        )
    return "none is a name too, so that each can be masked"


def check_privacy(folder: Path) -> None:
    """Raise a `DoctorWarning` where others may look into the folder of backups."""
    if folder.is_dir() and folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(folder.stat().st_mode)
        raise DoctorWarning(
            "doctor.folder_open", f"{folder} can be written, but others may look into it (mode {mode:04o})."
        )


def _read_runs(plan: Plan) -> tuple[Run, ...] | None:
    journal = Journal.open_existing(plan.journal_directory)
    if journal is None:
        return None
    with closing(journal):
        return journal.runs()
