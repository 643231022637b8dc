"""What is acted upon must come from nobody else: the state folder and its files, and whose files are trusted there."""

import json
import os
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from orchestrator.core.accounts import find_name
from orchestrator.core.atomic_write import write_atomically
from orchestrator.core.errors import JournalError
from orchestrator.core.files import read_file
from orchestrator.core.trust import TRUST, find_caller, require_trusted

STATE_FOLDER = ".orchestrator"
_RECORD = "trusted-owners"
_RECORD_BYTES = 64 * 1024


def require_own(*paths: Path) -> None:
    """See that those of these paths that are there are a trusted user's, and that nobody else may write them.

    No group may, not even one that has nobody else in it: what is in them is nobody's to edit.

    Raises:
        JournalError: ``journal.not_private``.
        OSError: one of them cannot be looked at.
    """
    for path in paths:
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        problem = _find_problem(found)
        if problem:
            raise JournalError(
                "journal.not_private",
                f"{path} {problem}, so what is in it may be somebody else's.",
                impact="Nothing was touched.",
                hint=f"Run as its owner; or, if nobody has tampered with it: chown -R $(id -u) and chmod go-w {path}.",
            )


def admit_plan(plan: Path) -> None:
    """See that only trusted users can change a plan; among them are those whom an operator has once named for it.

    Raises:
        TrustError: as `orchestrator.core.trust.require_trusted`.
    """
    for user in read_trusted_owners(plan):
        TRUST.accept(user)
    require_trusted(plan)


def read_trusted_owners(plan: Path) -> frozenset[int]:
    """The users whom an operator has once trusted for this plan, as `record_trusted_owners` wrote them down.

    Only where this process's own user, root or the caller of `sudo` did so: nobody can say it of themselves.
    """
    return _read_record(_place_record(plan)).get(str(plan.absolute()), frozenset())


def record_trusted_owners(plan: Path, users: Collection[int]) -> Path:
    """Write down that the files of these users are trusted for this plan too; where that is written.

    Raises:
        JournalError: ``journal.not_private``.
        OSError: it cannot be written.
    """
    path = _place_record(plan)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    require_own(path.parent)
    record = _read_record(path)
    record[str(plan.absolute())] = read_trusted_owners(plan).union(users)
    plans = {source: sorted(uids) for source, uids in record.items()}
    write_atomically(path, json.dumps({"plans": plans}).encode(), mode=0o600, follow=False)
    return path


def _place_record(plan: Path) -> Path:
    return plan.absolute().parent / STATE_FOLDER / _RECORD


# Plan → users; a folder can hold the plans of several apps, each of another user.
def _read_record(path: Path) -> dict[str, frozenset[int]]:
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        if all(_is_beyond_doubt(place) for place in (path.parent, path)):
            plans = json.loads(read_file(path, _RECORD_BYTES, follow=False))["plans"]
            return {source: frozenset(uid for uid in users if isinstance(uid, int)) for source, users in plans.items()}
    return {}


def _find_problem(found: os.stat_result) -> str:
    if found.st_uid not in TRUST.find_users():
        return f"belongs to user {find_name(found.st_uid)}, not to us (user {find_name(os.geteuid())})"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"may be written by others (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""


def _is_beyond_doubt(path: Path) -> bool:
    found = path.lstat()
    allowed = {0, os.geteuid(), find_caller(os.environ)}
    return found.st_uid in allowed and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
