"""A named pipe inside a container, read on this side of it, for what would be slow through the engine.

The engine copies the output of a program twice and frames it, which halves the speed of a dump. Root on the engine's
own host reaches into a container through ``/proc``; for anybody else (another user, a remote engine, an orchestrator in
a container) there is no such pipe.

Nothing runs with more rights than before: the program is the engine's exec as ever, and the pipe is its user's alone.
"""

import errno
import fcntl
import os
import secrets
import select
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from orchestrator.core.deadline import Deadline

_DIRECTORY = "tmp"
_PREFIX = "upgrade-orchestrator-pipe-"
_PIPE = "pipe"
_SIZE_BYTES = 1024 * 1024  # so that a program goes on writing while we compress; what any user may ask for
_GATHERED_BYTES = 256 * 1024  # a program writes a page at a time
_LOOK_EVERY_MS = 200
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class ContainerPipe:
    """``path`` is where the container has it; it is over when `end` was called and no program has it open."""

    def __init__(self, path: str, reader: int, keeper: int) -> None:
        self.path = path
        self._reader = reader
        self._keeper: int | None = keeper  # a pipe that nobody has opened for writing yet would be over already

    def receive(self, write: Callable[[bytes], None], deadline: Deadline) -> None:
        """Pass on what comes until it is over. Raises what ``write`` and ``deadline`` raise."""
        incoming = select.poll()
        incoming.register(self._reader, select.POLLIN)
        gathered, filled = memoryview(bytearray(_GATHERED_BYTES)), 0
        while True:
            while not incoming.poll(_LOOK_EVERY_MS):
                deadline.check()
            count = os.readv(self._reader, [gathered[filled:]])
            filled += count
            if filled and (not count or filled == _GATHERED_BYTES):
                write(bytes(gathered[:filled]))
                deadline.check()
                filled = 0
            if not count:
                return

    def end(self) -> None:
        """The program has ended: what it has written is still read, nothing is waited for any more."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            os.close(keeper)


@contextmanager
def open_pipe(process: int, run: Callable[[Sequence[str]], bool]) -> Iterator[ContainerPipe | None]:
    """A pipe in the container whose first process is ``process`` for the engine, or None; it is gone afterwards.

    ``run`` runs a short program in the container, as the user whose program is to write into the pipe.
    """
    with ExitStack() as opened:
        yield _find_pipe(process, run, opened)


def _find_pipe(process: int, run: Callable[[Sequence[str]], bool], opened: ExitStack) -> ContainerPipe | None:
    name = f"{_PREFIX}{secrets.token_hex(16)}"
    path = f"/{_DIRECTORY}/{name}"
    try:
        root = _open_folder(f"/proc/{process}/root", opened)
        directory = _open_folder(_DIRECTORY, opened, within=root)
        _remove_left(directory)
    except OSError:
        return None
    if not run(["mkdir", "-m", "700", path]):
        return None
    try:
        # Only in that container there is a folder of this name: a process of the same number elsewhere has none.
        folder = _open_folder(name, opened, within=directory)
        pipe = _make_pipe(f"{path}/{_PIPE}", folder, opened)
    except OSError:
        run(["rm", "-r", "-f", path])
        return None
    opened.callback(_remove, directory, name)
    return pipe


def _make_pipe(path: str, folder: int, opened: ExitStack) -> ContainerPipe:
    os.mkfifo(_PIPE, 0o600, dir_fd=folder)
    reader = _open_end(folder, os.O_RDONLY)
    opened.callback(os.close, reader)
    owner = os.fstat(folder)
    os.fchown(reader, owner.st_uid, owner.st_gid)
    pipe = ContainerPipe(path, reader, _open_end(folder, os.O_WRONLY))
    opened.callback(pipe.end)
    with suppress(OSError):  # this user may have used up what it may ask for
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, _SIZE_BYTES)
    return pipe


# No link is followed: the container's own would lead through the host's folders.
def _open_folder(name: str, opened: ExitStack, *, within: int | None = None) -> int:
    flags = _FOLDER_FLAGS if within is None else _FOLDER_FLAGS | os.O_NOFOLLOW
    folder = os.open(name, flags, dir_fd=within)
    opened.callback(os.close, folder)
    return folder


# Looked at before it is opened: whoever is root in the container can put a device there, and opening one does things.
def _open_end(folder: int, flags: int) -> int:
    node = os.open(_PIPE, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if not stat.S_ISFIFO(os.fstat(node).st_mode):
            raise OSError(errno.EINVAL, "It is no pipe.")
        return os.open(f"/proc/self/fd/{node}", flags | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(node)


# Of a process of ours that was killed. A program that still waits for a reader of its pipe ends of having had one.
def _remove_left(directory: int) -> None:
    for name in os.listdir(directory):
        if name.startswith(_PREFIX):
            _remove(directory, name)


def _remove(directory: int, name: str) -> None:
    with suppress(OSError), ExitStack() as opened:
        folder = _open_folder(name, opened, within=directory)
        opened.callback(os.close, _open_end(folder, os.O_RDONLY))
        # The folder goes before the reader does: whoever opens the pipe from now on finds no place to make a file.
        os.unlink(_PIPE, dir_fd=folder)
        os.rmdir(name, dir_fd=directory)
