"""What is acted upon must come from nobody else: the state folder and its files are ours, and only we write them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from orchestrator.errors import JournalError


def require_own(*paths: Path) -> None:
    """See that those of these paths that are there are ours, and that no group and nobody else may write them.

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
                meaning="Nothing was touched.",
                hint=f"Run as its owner; or, if nobody has tampered with it: chown -R $(id -u) and chmod go-w {path}.",
            )


def _find_problem(found: os.stat_result) -> str:
    if found.st_uid != os.geteuid():
        return f"belongs to user {found.st_uid}, not to us (user {os.geteuid()})"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"may be written by others (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""
