"""One run at a time per project: a kernel lock that dies with its process and names its owner.

The descriptor is not inheritable, so that a child that outlives us cannot hold it; the file is never deleted.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.errors import BusyError, JournalError


@contextmanager
def project_lock(directory: Path, *, run_id: str) -> Iterator[None]:
    """Hold the lock of the project whose ``.orchestrator`` folder is ``directory``.

    Raises:
        BusyError: somebody else holds it; the sentence names run and process.
        JournalError: the folder cannot be written.
    """
    path = directory / "lock"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise JournalError(
            "journal.not_writable",
            f"{path} cannot be opened: {error.strerror}.",
            meaning="Nothing was touched.",
            hint="Run as a user who may write the project's folder.",
        ) from error
    try:
        _take(descriptor, path, run_id)
        yield
    finally:
        # A child that is just being started may have the file open for a moment more; unlocking binds it too.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _take(descriptor: int, path: Path, run_id: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyError(
            "lock.held",
            f"{_owner(descriptor)} is upgrading this project.",
            meaning="That run is not disturbed; nothing was touched.",
            hint=f"Wait until it is over (`orchestrator status` shows how far it is; the lock is {path}).",
        ) from error
    # The lock holds without its owner's name, too: on a full disk there may be no room for it.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"run": run_id, "pid": os.getpid()}).encode(), 0)


def _owner(descriptor: int) -> str:
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
        return f"Run {owner['run']} (process {owner['pid']})"
    except (ValueError, KeyError, TypeError):
        return "Another run"
