"""Replace files as a whole and durably: no reader ever sees half of one."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_atomically(
    path: Path, content: bytes, *, mode: int | None = None, follow: bool = True, new: bool = False
) -> None:
    """Replace the file, or the one its symbolic links lead to, as a whole; without ``follow`` a link itself.

    Mode and owner stay unless ``mode`` is given; a new file is 0600. Durable on return. ``new``: never take the place
    of a file that is there.

    Raises:
        FileExistsError: it is there, and was to be ``new``.
        OSError: it cannot be written; nothing is changed and nothing is left behind.
    """
    target = path.resolve() if follow else path
    before = target.stat() if follow and target.exists() else None
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if before is not None:
                _give_owner(stream.fileno(), before)
            os.fchmod(stream.fileno(), _choose_mode(mode, before))
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if new:
            target.hardlink_to(name)
        else:
            Path(name).replace(target)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
    _sync_folder(target.parent)


def explain_unwritable(path: Path) -> str | None:
    """Explain why `write_atomically` could not replace the file, as the end of a sentence; None if it could."""
    target = path.resolve()
    if not os.access(target.parent, os.W_OK | os.X_OK):
        return f"no file can be created in {target.parent}"
    status = target.stat()
    if os.geteuid() != 0 and status.st_uid != os.geteuid():
        return "it belongs to another user, to whom it could not be given back"
    if os.geteuid() != 0 and status.st_gid not in {os.getegid(), *os.getgroups()}:
        return "it belongs to a group that we are not in"
    return None


def _give_owner(descriptor: int, before: os.stat_result) -> None:
    ours = os.fstat(descriptor)
    if (ours.st_uid, ours.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)


def _choose_mode(mode: int | None, before: os.stat_result | None) -> int:
    if mode is not None:
        return mode
    return before.st_mode & 0o7777 if before is not None else 0o600


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
