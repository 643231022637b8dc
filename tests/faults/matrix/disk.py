"""The journal on a disk that loses its newest bytes when the power goes, as far as nothing was done after them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.failpoints.points import Failpoints, Point
from tests.faults.matrix.scene import Scene

_TORN_BYTES = 100
_WRITTEN = frozenset({"journal.entered", "journal.prepared", "journal.left", "journal.end"})


@dataclass
class Disk(Failpoints):
    """Remembers what was in the journal's files after each record, and puts an earlier content back.

    The power goes when the outcome of the scene's state is written and ``behind`` records more.
    """

    scene: Scene | None = None
    behind: int = 0
    _contents: list[dict[Path, bytes]] = field(default_factory=list)
    _over: bool = False

    def meet(self, point: Point) -> None:
        assert self.scene is not None
        if point.side == "before" or point.call not in _WRITTEN:
            return
        self._contents.append({path: path.read_bytes() for path in self._files() if path.suffix != ".sqlite3-shm"})
        self._over = self._over or (point.call == "journal.left" and self.scene.state in point.arguments)
        if self._over and self.behind == 0:
            self.scene.world.script.kill()
        self.behind -= self._over

    def lose(self, records: int) -> None:
        """The newest records were never written."""
        self._put_back(self._contents[-1 - records])

    def tear(self) -> None:
        """The newest record was written in part into SQLite's log, and not yet into the database itself."""
        before, after = self._contents[-2:]
        log = next(path for path in after if path.name.endswith("wal"))
        end = _find_end_of_change(before.get(log, b""), after[log]) - _TORN_BYTES
        self._put_back({**before, log: after[log][:end]})

    def _put_back(self, content: Mapping[Path, bytes]) -> None:
        for path in self._files():
            path.unlink()
        for path, written in content.items():
            path.write_bytes(written)

    def _files(self) -> list[Path]:
        assert self.scene is not None
        return sorted(self.scene.bench.plan.journal_directory.glob("journal.sqlite3*"))


def _find_end_of_change(before: bytes, after: bytes) -> int:
    """SQLite writes its log anew from the beginning when all of it is in the database; older bytes lie behind."""
    if len(after) > len(before):
        return len(after)
    return 1 + next(place for place in reversed(range(len(after))) if before[place] != after[place])


#: What is lost, with the number of records that were written behind the outcome before the power went.
LOSSES: Mapping[str, tuple[int, Callable[[Disk], None]]] = {
    "last record lost": (0, lambda disk: disk.lose(1)),
    "last record torn": (0, Disk.tear),
    "last two records lost": (1, lambda disk: disk.lose(2)),
}
