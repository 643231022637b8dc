"""The fake of the backup folder."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import BackupError
from orchestrator.core.model.backups import FolderFacts
from orchestrator.core.model.progress import Progress
from orchestrator.core.ports.progress import Report
from tests.tools.dump import count_rows, is_complete
from tests.tools.world import FakeWorld

_CHUNK_BYTES = 1024


@dataclass(frozen=True)
class FakeProof:
    """`Proof` of one reading."""

    sha256: str
    size_bytes: int
    dump_bytes: int
    rows: dict[str, int]


class FakeBackupStore:
    """`BackupStore` on the world's files; they are really compressed, read back, hashed and counted."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world

    def inspect_folder(self) -> FolderFacts:
        self._world.script.look("backups.inspect_folder")
        world = self._world
        return FolderFacts(
            path=world.backup_directory, free_bytes=world.backup_free_bytes, problem=world.backup_problem
        )

    def write(
        self, name: str, produce: Callable[[Callable[[bytes], None]], None], *, report: Report
    ) -> tuple[Path, str, int]:
        with self._world.script.effect("backups.write", name):
            path = self._world.backup_directory / name
            self._check_writable(path)
            dump = bytearray()
            produce(dump.extend)
            content = gzip.compress(bytes(dump), mtime=0)
            if len(content) > self._world.backup_free_bytes:
                raise BackupError("backup.no_space", f"There is no room for {name}.")
            self._world.files[path] = content
            report(Progress(label="Writing the backup", done=len(dump)))
            return path, hashlib.sha256(content).hexdigest(), len(dump)

    def prove(self, path: Path, *, report: Report, deadline: Deadline) -> FakeProof:
        self._world.script.look("backups.prove")
        deadline.check()
        content = self._content(path)
        dump = _decompress(path, content)
        if not is_complete(dump):
            raise BackupError("backup.incomplete", f"The dump in {path} is cut: its last line is missing.")
        report(Progress(label="Reading the backup", done=len(content), total=len(content)))
        return FakeProof(hashlib.sha256(content).hexdigest(), len(content), len(dump), count_rows(dump))

    def read(self, path: Path, *, sha256: str | None = None) -> Iterable[bytes]:
        self._world.script.look("backups.read")
        content = self._content(path)
        yield from _chunks(_decompress(path, content))
        if sha256 not in {None, hashlib.sha256(content).hexdigest()}:
            raise BackupError("backup.damaged", f"{path} is not the file that was meant.")

    def remove(self, path: Path) -> None:
        with self._world.script.effect("backups.remove", path.name):
            if path.parent != self._world.backup_directory or path.name in {"", ".", ".."}:
                raise BackupError("backup.outside", f"{path} is not in the folder of backups.")
            self._world.files.pop(path, None)

    def truncate(self, path: Path, size_bytes: int) -> None:
        """Damage: cut a file."""
        self._world.files[path] = self._world.files[path][:size_bytes]

    def flip(self, path: Path, position: int) -> None:
        """Damage: turn a byte of a file over."""
        content = bytearray(self._world.files[path])
        content[position] ^= 0xFF
        self._world.files[path] = bytes(content)

    def _check_writable(self, path: Path) -> None:
        if self._world.backup_problem:
            raise BackupError("backup.not_writable", self._world.backup_problem)
        if path in self._world.files:
            raise BackupError("backup.exists", f"There is a backup {path} already.")

    def _content(self, path: Path) -> bytes:
        if path not in self._world.files:
            raise BackupError("backup.missing", f"There is no backup {path}.")
        return self._world.files[path]


def _decompress(path: Path, content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as cause:
        raise BackupError("backup.damaged", f"{path} cannot be read in full: {cause}.") from cause


def _chunks(dump: bytes) -> Iterator[bytes]:
    for start in range(0, len(dump), _CHUNK_BYTES):
        yield dump[start : start + _CHUNK_BYTES]
