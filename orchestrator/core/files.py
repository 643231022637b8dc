"""Open files that a plan, an option, the environment or a project names: the one door to them.

Only a regular file is opened, and opening it never waits: a named pipe without a writer would hold a run and its lock
for ever, and merely opening a device can have an effect. A file system that hangs, as NFS can, is out of reach.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1024 * 1024
#: Flags of a file of ours that is written anew; a pipe or device in its place is not waited for.
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CHUNK_BYTES = 128 * 1024
_KERNEL = ("/proc", "/sys")  # files there are regular by name only: some block, some have no end
_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)


class NotRegularError(OSError):
    """The path names something that is no regular file."""


class TooLargeError(OSError):
    """The file has more bytes than such a file may have."""


@contextmanager
def opened(path: Path, *, follow: bool = True) -> Iterator[int]:
    """Open the file for reading and return its descriptor; without ``follow`` a symbolic link is refused.

    Raises:
        NotRegularError: it is a pipe, a device, a folder or the like, or lies in ``/proc`` or ``/sys``.
        OSError: it cannot be opened.
    """
    try:
        found = path.stat(follow_symlinks=follow)
    except ValueError as error:  # a NUL, or half a character
        raise FileNotFoundError(errno.ENOENT, "no file can have this name", ascii(str(path))) from error
    _require_regular(found, path)  # before it is opened: see the head of the module
    descriptor = os.open(path, _FLAGS if follow else _FLAGS | os.O_NOFOLLOW)
    try:
        _require_regular(os.fstat(descriptor), path)
        yield descriptor
    finally:
        os.close(descriptor)


def read_file(path: Path, at_most: int = MIB, *, follow: bool = True) -> bytes:
    """Read the whole file.

    Raises:
        TooLargeError: it has more than ``at_most`` bytes.
        OSError: as `opened`.
    """
    content = read_beginning(path, at_most + 1, follow=follow)
    if len(content) > at_most:
        raise TooLargeError(errno.EFBIG, f"it has more than {at_most} bytes", str(path))
    return content


def read_beginning(path: Path, at_most: int, *, follow: bool = True) -> bytes:
    """Read the first ``at_most`` bytes of the file, or all there are. Raises as `opened`."""
    with opened(path, follow=follow) as descriptor:
        return b"".join(_read(descriptor, at_most))


def _read(descriptor: int, at_most: int) -> Iterator[bytes]:
    while at_most > 0 and (chunk := os.read(descriptor, min(at_most, _CHUNK_BYTES))):
        at_most -= len(chunk)
        yield chunk


def _require_regular(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "a device")
        raise NotRegularError(errno.EINVAL, f"it is {kind}, not a regular file", str(path))
    if found.st_dev in _find_kernel_devices():
        raise NotRegularError(errno.EINVAL, "it is a file of the kernel, not of a disk", str(path))


def _find_kernel_devices() -> set[int]:
    return {Path(place).stat().st_dev for place in _KERNEL if Path(place).is_mount()}
