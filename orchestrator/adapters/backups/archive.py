"""Keep a folder of backups: gzip files that ``zcat`` reads, visible under their names only when whole."""

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from orchestrator.adapters.backups.gzip_stream import DecodingError, Digest, GzipWriter, decode
from orchestrator.adapters.postgres.dump_scan import DumpScanner
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import BackupError
from orchestrator.core.files import opened
from orchestrator.core.model.backups import FolderFacts
from orchestrator.core.model.progress import Progress
from orchestrator.core.ports.progress import Report
from orchestrator.core.trust import TRUST

_REPORT_EVERY_BYTES = 8 * 1024 * 1024
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class ProvenBackup:
    """Result of a full reading of a backup; sizes in bytes, SHA-256 of the file in hex."""

    sha256: str
    size_bytes: int
    dump_bytes: int
    rows: Mapping[str, int]


class BackupFolder:
    """Owns the files directly inside ``directory``; makes the folder (0700) with the first backup."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def inspect_folder(self) -> FolderFacts:
        """Try, without leaving a trace, whether a backup could be written."""
        place = self._directory
        while not os.path.lexists(place) and place != place.parent:
            place = place.parent
        try:
            with self._opened(place) as folder:
                room = os.fstatvfs(folder)
                _try_writing(folder)
        except (BackupError, OSError) as error:
            return FolderFacts(path=self._directory, free_bytes=0, problem=str(error))
        return FolderFacts(path=self._directory, free_bytes=room.f_bavail * room.f_frsize)

    def write(
        self, name: str, produce: Callable[[Callable[[bytes], None]], None], *, report: Report
    ) -> tuple[Path, str, int]:
        """Let ``produce`` write a dump; compress it on the way into ``name``.

        Returns path, SHA-256 of the file (hex), number of bytes before compression. An error of ``produce`` is raised,
        and
        nothing is left of the file.

        Raises:
            BackupError: ``backup.exists``, ``backup.no_space``, ``backup.not_writable``, ``backup.name``.
        """
        path = self._directory / _checked(name)
        with self._writing():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._writing(), self._opened(self._directory) as folder:
            _refuse_existing(folder, path)
            hidden = f".{name}.{secrets.token_hex(4)}.partial"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            sink = GzipWriter(os.open(hidden, flags, 0o600, dir_fd=folder))
            try:
                dump_bytes = self._fill(sink, produce, report)
                _publish(folder, hidden, path)
            finally:
                sink.close()
                with suppress(FileNotFoundError):
                    os.unlink(hidden, dir_fd=folder)
            os.fsync(folder)
        return path, sink.sha256, dump_bytes

    def prove(self, path: Path, *, report: Report, deadline: Deadline) -> ProvenBackup:
        """Read a backup in full: every checksum, the trailer of the dump, the rows of each table.

        Raises:
            BackupError: ``backup.missing``, ``backup.damaged``, ``backup.incomplete``.
            DeadlineExceededError, InterruptedByOperatorError: from ``deadline``.
        """
        scanner, digest = DumpScanner(), hashlib.sha256()
        with _reading(path) as file:
            size = os.fstat(file).st_size
            shown = done = 0
            for read_bytes, decoded in _decoded(file, path, digest):
                deadline.check()
                scanner.feed(decoded)
                done += read_bytes
                if done - shown >= _REPORT_EVERY_BYTES:
                    report(Progress(label="Reading the backup", done=done, total=size))
                    shown = done
        if not scanner.complete:
            raise BackupError(
                "backup.incomplete",
                f"The dump in {path} ends before its last line.",
                impact="It cannot be restored in full.",
                hint="Use another backup.",
            )
        report(Progress(label="Reading the backup", done=done, total=size))
        rows = MappingProxyType(dict(scanner.rows))
        return ProvenBackup(digest.hexdigest(), done, scanner.size_bytes, rows)

    def read(self, path: Path, *, sha256: str | None = None) -> Iterable[bytes]:
        """Yield the dump, decompressed, in chunks; raises as `prove`, ``backup.damaged`` also in the middle.

        With ``sha256`` (hex) a file with another hash is ``backup.damaged`` before the first chunk; and in place of the
        end,
        if it was written to meanwhile.
        """
        digest = hashlib.sha256()
        with _reading(path) as file:
            # The whole file before the first chunk is given: the consumer runs the chunks as they come.
            if sha256 is not None and _hash(file, path) != sha256:
                _refuse_damaged(path)
            for _, decoded in _decoded(file, path, digest):
                if decoded:
                    yield decoded
        if sha256 is not None and digest.hexdigest() != sha256:
            _refuse_damaged(path)

    def remove(self, path: Path) -> None:
        """Delete a file of the folder and the remains of it that a killed process has left, if they exist.

        ``backup.outside``, ``backup.not_writable``.
        """
        if path.parent != self._directory or path.name != _checked(path.name):
            raise BackupError("backup.outside", f"{path} is not in {self._directory}.", impact="It was not deleted.")
        with self._writing(), suppress(FileNotFoundError), self._opened(self._directory) as folder:
            for name in (*_find_partial(folder, path.name), path.name):
                os.unlink(name, dir_fd=folder)
            os.fsync(folder)

    def _fill(self, sink: GzipWriter, produce: Callable[[Callable[[bytes], None]], None], report: Report) -> int:
        done = shown = 0

        def write(chunk: bytes) -> None:
            nonlocal done, shown
            with self._writing():
                sink.write(chunk)
            done += len(chunk)
            if done - shown >= _REPORT_EVERY_BYTES:
                report(Progress(label="Writing the backup", done=done))
                shown = done

        produce(write)
        sink.finish()
        report(Progress(label="Writing the backup", done=done, total=done))
        return done

    @contextmanager
    def _opened(self, place: Path) -> Iterator[int]:
        folder = os.open(place, _FOLDER_FLAGS)
        try:
            if place == self._directory:
                _require_private(os.fstat(folder), place)
            yield folder
        finally:
            os.close(folder)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            full = error.errno in _NO_SPACE
            raise BackupError(
                "backup.no_space" if full else "backup.not_writable",
                f"{self._directory} cannot be written: {error.strerror or error}.",
                impact="Nothing of an unfinished backup was left; other backups are as they were.",
                hint="Make room, or let `backups.directory` name a larger place."
                if full
                else "It must be a real folder, no link, that belongs to the user who runs the upgrade.",
            ) from error


def _checked(name: str) -> str:
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise BackupError("backup.name", f"{name!r} cannot be the name of a backup.")
    return name


def _find_partial(folder: int, name: str) -> list[str]:
    return [each for each in os.listdir(folder) if each.startswith(f".{name}.") and each.endswith(".partial")]


def _refuse_existing(folder: int, path: Path) -> None:
    with suppress(FileNotFoundError):
        os.stat(path.name, dir_fd=folder, follow_symlinks=False)
        raise BackupError("backup.exists", f"There is already a backup {path}.", impact="It was left as it is.")


# A link never replaces a file, a rename does; but not every file system has links.
def _publish(folder: int, hidden: str, path: Path) -> None:
    try:
        os.link(hidden, path.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.EEXIST and error.errno not in _NO_LINKS:
            raise
        _refuse_existing(folder, path)
        os.rename(hidden, path.name, src_dir_fd=folder, dst_dir_fd=folder)


def _try_writing(folder: int) -> None:
    try:
        os.close(os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o600, dir_fd=folder))
    except OSError as error:
        if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}:
            raise
        name = f".probe.{secrets.token_hex(4)}"
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder))
        os.unlink(name, dir_fd=folder)


@contextmanager
def _reading(path: Path) -> Iterator[int]:
    with ExitStack() as stack:
        try:
            file = stack.enter_context(opened(path, follow=False))
        except OSError as error:
            _refuse_missing(path, f"cannot be read: {error.strerror}", error)
        found = os.fstat(file)
        if found.st_uid not in TRUST.find_users():
            _refuse_missing(path, f"belongs to user {found.st_uid}, who could change what is in it")
        if found.st_mode & stat.S_IWOTH:
            _refuse_missing(path, f"can be written by everybody (mode {stat.S_IMODE(found.st_mode):04o})")
        yield file


def _hash(file: int, path: Path) -> str:
    try:
        with os.fdopen(os.dup(file), "rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        os.lseek(file, 0, os.SEEK_SET)
    except OSError as error:
        _refuse_damaged(path, error)
    return digest


def _require_private(found: os.stat_result, folder: Path) -> None:
    if found.st_uid not in TRUST.find_users():
        problem, command = f"{folder} belongs to user {found.st_uid}", f"chown {os.geteuid()} {folder}"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        problem, command = f"Others may write into {folder}", f"chmod go-w {folder}"
    else:
        return
    raise BackupError(
        "backup.not_writable",
        f"{problem}, so a backup could be replaced there.",
        impact="No backup can be kept there.",
        hint=command,
    )


def _decoded(file: int, path: Path, digest: Digest) -> Iterator[tuple[int, bytes]]:
    try:
        yield from decode(file, digest)
    except (DecodingError, OSError) as error:
        _refuse_damaged(path, error)


def _refuse_missing(path: Path, why: str, cause: OSError | None = None) -> NoReturn:
    raise BackupError(
        "backup.missing",
        f"{path} {why}.",
        impact="It cannot be restored.",
        hint="Use another backup: `orchestrator backups list` names them.",
    ) from cause


def _refuse_damaged(path: Path, cause: Exception | None = None) -> NoReturn:
    raise BackupError(
        "backup.damaged",
        f"{path} is damaged: it is not what was written.",
        impact="It cannot be restored.",
        hint="Use another backup (`orchestrator backups list` names them), and check the disk.",
    ) from cause
