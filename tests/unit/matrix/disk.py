"""The journal on a disk that loses its newest bytes when the power goes, as far as nothing was done after them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from orchestrator.journal import Journal
from tests.unit.matrix.scene import Scene

_TORN_BYTES = 100


class Disk:
    """Remembers what was in the journal's files after each record, and puts an earlier content back."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._contents: list[dict[Path, bytes]] = []

    @contextmanager
    def failing(self, behind: int) -> Iterator[None]:
        """Let the power go when the outcome of the scene's state is written and ``behind`` records more."""
        append, end, due = Journal.append, Journal.end, behind + 1

        def written(record: str, state: str) -> None:
            nonlocal due
            self._contents.append({path: path.read_bytes() for path in self._files() if path.suffix != ".sqlite3-shm"})
            over = due <= behind or (record, state) == ("left", self._scene.state)
            due -= over
            if not due:
                self._scene.world.script.kill()

        def append_watched(journal: Journal, run_id: str, at: Any, record: str, state: str, payload: Any) -> None:
            append(journal, run_id, at, record, state, payload)
            written(record, state)

        def end_watched(journal: Journal, *arguments: Any) -> None:
            end(journal, *arguments)
            written("end", "")

        with patch.object(Journal, "append", append_watched), patch.object(Journal, "end", end_watched):
            yield

    def lose(self, records: int) -> None:
        """The newest records were never written."""
        self._put_back(self._contents[-1 - records])

    def tear(self) -> None:
        """The newest record was written in part."""
        content = dict(self._contents[-1])
        log = next(path for path in content if path.name.endswith("wal"))
        content[log] = content[log][:-_TORN_BYTES]
        self._put_back(content)

    def _put_back(self, content: Mapping[Path, bytes]) -> None:
        for path in self._files():
            path.unlink()
        for path, written in content.items():
            path.write_bytes(written)

    def _files(self) -> list[Path]:
        return sorted(self._scene.bench.plan.journal_directory.glob("journal.sqlite3*"))


#: What is lost, with the number of records that were written behind the outcome before the power went.
LOSSES: Mapping[str, tuple[int, Callable[[Disk], None]]] = {
    "last record lost": (0, lambda disk: disk.lose(1)),
    "last record torn": (0, Disk.tear),
    "last two records lost": (1, lambda disk: disk.lose(2)),
}
