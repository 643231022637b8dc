"""Room on the disk that is held for the way back: a file that is really written, and given up when room is short."""

import os
from contextlib import suppress
from pathlib import Path

from orchestrator.core.files import NEW_FILE

RESERVE_BYTES = 1024 * 1024


class Reserve:
    """The file ``reserve`` in the journal's folder, `RESERVE_BYTES` long or not there."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "reserve"

    def fill(self) -> None:
        """Take the room, unless it is taken. Raises `OSError` if there is not so much; nothing is left of the file."""
        with suppress(FileNotFoundError):
            if self._path.stat().st_size == RESERVE_BYTES:
                return
        descriptor = os.open(self._path, NEW_FILE, 0o600)
        try:
            _write(descriptor)
        except OSError:
            self.free()
            raise
        finally:
            os.close(descriptor)

    def free_bytes(self) -> int:
        """Room beside it, for anybody. Raises `OSError`."""
        return read_free_bytes(self._path.parent)

    def free(self) -> bool:
        """Give the room up; whether there was any."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True


def read_free_bytes(folder: Path) -> int:
    """Room in a folder, for anybody. Raises `OSError`."""
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


# Not sparse, and not of one byte that a file system could fold into nothing.
def _write(descriptor: int) -> None:
    rest = memoryview(os.urandom(RESERVE_BYTES))
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)
