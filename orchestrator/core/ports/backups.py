"""Where backup files are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from orchestrator.core.deadline import Deadline
from orchestrator.core.model.backups import FolderFacts
from orchestrator.core.ports.progress import Report


class BackupStore(Protocol):
    """The folder of backup files. Raises `BackupError`."""

    def inspect_folder(self) -> FolderFacts:
        """Try, without leaving a trace, whether a backup could be written."""

    def write(
        self, name: str, produce: Callable[[Callable[[bytes], None]], None], *, report: Report
    ) -> tuple[Path, str, int]:
        """Let ``produce`` write a dump; compress it on the way into ``name``.

        The file appears under its name only when it is whole and durable; mode 0600.
        Returns path, SHA-256 of the file (hex), number of bytes before compression.
        ``backup.exists``, ``backup.no_space``, ``backup.not_writable``.
        """

    def prove(self, path: Path, *, report: Report, deadline: Deadline) -> Proof:
        """Read a backup in full. ``backup.missing``, ``backup.damaged``, ``backup.incomplete``."""

    def read(self, path: Path, *, sha256: str | None = None) -> Iterable[bytes]:
        """The dump, decompressed, in chunks.

        ``backup.missing``, ``backup.damaged``: before the last chunk was given; also where the file is not the one
        with ``sha256`` (hex).
        """

    def remove(self, path: Path) -> None:
        """Delete a file of the folder. Repeating is harmless; a path outside the folder is refused."""


class Proof(Protocol):
    """What a full reading of a backup has shown."""

    @property
    def sha256(self) -> str:
        """Of the file, hex."""

    @property
    def size_bytes(self) -> int:
        """Of the file."""

    @property
    def dump_bytes(self) -> int:
        """Decompressed."""

    @property
    def rows(self) -> Mapping[str, int]:
        """Rows of each table in the dump, keyed ``schema.table``."""
