"""How fast something goes, from what it has reported in the last seconds; pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.core.model.progress import Progress

_WINDOW_S = 15.0
_ENOUGH_S = 1.0
_SAMPLES = 60


@dataclass(frozen=True)
class Pace:
    """One step of a state: what it last reported and when; ``samples`` are (monotonic seconds, amount done).

    ``began`` is when the step was first heard of.
    """

    progress: Progress
    began: float
    samples: tuple[tuple[float, int], ...]

    @classmethod
    def of(cls, progress: Progress, at: float) -> Pace:
        """A step that begins."""
        return cls(progress, at, ((at, progress.done),))

    def followed_by(self, progress: Progress, at: float) -> Pace:
        """The same step a little later, or another one that begins."""
        if progress.label != self.progress.label or progress.done < self.progress.done:
            return Pace.of(progress, at)
        recent = tuple(one for one in self.samples if at - one[0] <= _WINDOW_S)[-_SAMPLES:]
        return Pace(progress, self.began, (*(recent or self.samples[-1:]), (at, progress.done)))

    @property
    def rate(self) -> float | None:
        """Amount a second; None while that cannot be told."""
        (first, before), (last, done) = self.samples[0], self.samples[-1]
        return (done - before) / (last - first) if last - first >= _ENOUGH_S and done > before else None

    @property
    def share(self) -> float | None:
        """How much of the whole is done, by what is counted."""
        total = self.progress.total
        return min(1.0, self.progress.done / total) if total else None

    def share_at(self, now: float) -> float | None:
        """How much of the whole is done, by the time that it took before where nothing is counted."""
        expected = self.progress.expected_s
        if self.share is not None or not expected:
            return self.share
        return min(1.0, (now - self.began) / expected)

    def remaining_s(self, now: float) -> float | None:
        """Seconds that it will still take; None where nobody knows, 0 where it takes longer than was expected."""
        if self.progress.total is not None and self.rate:
            left = (self.progress.total - self.progress.done) / self.rate
            return max(0.0, left - (now - self.samples[-1][0]))
        if self.progress.expected_s:
            return max(0.0, self.progress.expected_s - (now - self.began))
        return None
