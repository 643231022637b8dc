"""One run at a time per project: a kernel lock that dies with its process and names its owner.

The descriptor is not inheritable, so that a child that outlives us cannot hold it; the file is never deleted.
"""

import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.core.errors import BusyError, JournalError
from orchestrator.journal.file_permissions import require_own

_NAMED_WITHIN = 100  # looks
_LOOK_EVERY_S = 0.02


@contextmanager
def project_lock(directory: Path, *, run_id: str, describe: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Hold the lock of the project whose ``.orchestrator`` folder is ``directory``.

    ``describe`` says in one sentence how far the owner is, where it is somebody else.

    Raises:
        BusyError: somebody else holds it; the sentences name run, process, since when, and how far it is.
        JournalError: the folder cannot be written.
    """
    path = directory / "lock"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_own(directory, path)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise JournalError(
            "journal.not_writable",
            f"{path} cannot be opened: {error.strerror}.",
            impact="Nothing was touched.",
            hint="Run as a user who may write the project's folder.",
        ) from error
    try:
        _take(descriptor, path, run_id, describe)
        try:
            yield
        finally:
            _release(descriptor)
    finally:
        os.close(descriptor)


def find_owner(directory: Path) -> str:
    """Who holds the lock of the project now, to begin a sentence with; empty where nobody does. Makes nothing."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except BlockingIOError:
        return _name_owner(descriptor)
    finally:
        os.close(descriptor)
    return ""


def _take(descriptor: int, path: Path, run_id: str, describe: Callable[[], str]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyError(
            "lock.held",
            " ".join(filter(None, (f"{_name_owner(descriptor)} is upgrading this project.", describe()))),
            impact="That run is not disturbed; nothing was touched.",
            hint=f"Wait until it is over (`orchestrator status` shows how far it is; the lock is {path}).",
        ) from error
    # The lock holds without its owner's name, too: on a full disk there may be no room for it.
    owner = {"run": run_id, "pid": os.getpid(), "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"}
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)


def _release(descriptor: int) -> None:
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
    # A child that is just being started may have the file open for a moment more; unlocking binds it too.
    fcntl.flock(descriptor, fcntl.LOCK_UN)


# Whoever has just taken the lock writes his name a moment later; until then there may be that of one who was killed.
def _name_owner(descriptor: int) -> str:
    name = "Another run"
    for _ in range(_NAMED_WITHIN):
        with suppress(ValueError, KeyError, TypeError, OverflowError):
            owner = json.loads(os.pread(descriptor, 4096, 0))
            name = f"Run {owner['run']} (process {owner['pid']}, since {owner['since']} UTC)"
            if _is_alive(int(owner["pid"])):
                break
        threading.Event().wait(_LOOK_EVERY_S)
    return name


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True
