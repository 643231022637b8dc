"""Several writers at once, who can be told to rest; what was acknowledged to any of them is kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from deploy.demo.bed import Acknowledged, Writer

PER_WRITER = 25.0
SETTLE_TIMEOUT_S = 90.0


class Crowd:
    """Writes ``per_second`` entries at most; each writer waits for its answer, so a slow app is written to less."""

    def __init__(self, url: str, per_second: float) -> None:
        self._url = url
        self._count = max(1, round(per_second / PER_WRITER))
        self._rate = per_second / self._count
        self._generation = 0
        self._writers: list[Writer] = []
        self._rested: list[Acknowledged] = []

    @property
    def acknowledged(self) -> list[Acknowledged]:
        """Everything that was acknowledged up to now."""
        return [*self._rested, *(entry for writer in self._writers for entry in writer.acknowledged)]

    def await_acknowledged(self, count: int) -> None:
        """Wait until somebody was told ``count`` times more that an entry is saved; raises `TimeoutError`."""
        self._writers[0].await_acknowledged(max(1, count // self._count), SETTLE_TIMEOUT_S)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Nobody writes, and no request is under way."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def start(self) -> None:
        """Send new writers."""
        self._generation += 1
        names = [f"writer {self._generation}.{number}" for number in range(self._count)]
        self._writers = [Writer(self._url, per_second=self._rate, name=name) for name in names]
        for writer in self._writers:
            writer.start()

    def stop(self) -> None:
        """Call them back."""
        for writer in self._writers:
            writer.stop()
        self._rested = self.acknowledged
        self._writers = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
