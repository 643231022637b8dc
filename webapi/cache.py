"""Cache the answer of the release source in memory; one caller asks again for all of them.

The source is asked on a thread of its own, so that it can be as slow as it likes: a caller with older data to show
never waits for it, and nobody waits longer than `PATIENCE_S` after the question was sent.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from orchestrator.core.errors import ReleaseError
from orchestrator.core.model.releases import Release
from orchestrator.core.ports.clock import Clock
from orchestrator.core.ports.releases import ReleaseFeed

TTL_S = 4 * 3600.0
FORCED_EVERY_S = 60.0
#: What all callers together may spend. The scarcest source, GitHub without a token, answers 60 requests an hour per
#: address; one question takes up to five pages, and the operator's own `check` asks from the same address.
QUESTIONS_AN_HOUR = 10
PATIENCE_S = 8.0
_RETRY_FIRST_S = 60.0
_RETRY_MAX_S = 300.0

SLOW = "slow"
_BROKEN = "internal"
_HOUR_S = 3600.0

Start = Callable[[Callable[[], None]], None]


@dataclass(frozen=True)
class Finding:
    """The cached answer. ``releases`` and ``checked_at`` are None where the source has never given one.

    ``problem`` is the reason, in a word, why there was no answer since; empty where there was one. ``retry_at`` (UTC)
    is
    when the source may be asked again after that.
    """

    releases: tuple[Release, ...] | None = None
    checked_at: datetime | None = None
    problem: str = ""
    retry_at: datetime | None = None


@dataclass(frozen=True)
class Look:
    """A finding, and whether this very caller's request made the source be asked."""

    finding: Finding
    asked: bool = False


@dataclass(frozen=True)
class _Question:
    began_s: float
    answered: threading.Event = field(default_factory=threading.Event)


class ReleaseCache:
    """Owns the only way to the source in this process; for any number of threads."""

    def __init__(self, feed: ReleaseFeed, clock: Clock, *, start: Start | None = None) -> None:
        self._feed = feed
        self._clock = clock
        self._start = start or _start_thread
        self._lock = threading.Lock()
        self._finding = Finding()
        self._question: _Question | None = None
        self._checked_s = 0.0
        self._failures = 0
        self._not_before_s = float("-inf")
        self._limited_until_s = float("-inf")
        self._forced_s = float("-inf")
        self._asked_s: deque[float] = deque(maxlen=QUESTIONS_AN_HOUR)

    def look(self, *, force: bool = False) -> Look:
        """Return the newest finding; the source is asked after four hours, or now with ``force``.

        ``force`` has no effect within a minute of the last one, nor while the source has asked for a pause, nor once
        the questions of the hour are used up.
        """
        finding = self._finding
        if not force and finding.checked_at is not None and not finding.problem and self._is_fresh(finding):
            return Look(finding)
        question, asked = self._ask_once(force=force)
        if question is None:
            return Look(self._finding)
        return self._await(question, asked=asked)

    def _ask_once(self, *, force: bool) -> tuple[_Question | None, bool]:
        with self._lock:
            if self._question is not None or not self._is_due(force=force):
                return self._question, False
            question = self._question = _Question(self._clock.monotonic())
            self._asked_s.append(question.began_s)
            if force:
                self._forced_s = question.began_s
        try:
            self._start(lambda: self._ask(question))
        except RuntimeError:  # the process may have no more threads
            self._conclude(question, None, _BROKEN, None)
        return question, True

    def _await(self, question: _Question, *, asked: bool) -> Look:
        known = self._finding
        left_s = question.began_s + PATIENCE_S - self._clock.monotonic()
        waits = asked or known.releases is None
        if question.answered.is_set() or (waits and left_s > 0 and self._clock.wait(question.answered, left_s)):
            return Look(self._finding, asked)
        if left_s > 0 and not waits:
            return Look(known)
        return Look(replace(known, problem=known.problem or SLOW), asked)

    def _is_due(self, *, force: bool) -> bool:
        now_s = self._clock.monotonic()
        if now_s < self._limited_until_s or self._is_spent(now_s):
            return False
        if force:
            return now_s - self._forced_s >= FORCED_EVERY_S
        return now_s >= self._not_before_s and (bool(self._finding.problem) or not self._is_fresh(self._finding))

    def _is_spent(self, now_s: float) -> bool:
        return len(self._asked_s) == QUESTIONS_AN_HOUR and now_s - self._asked_s[0] < _HOUR_S

    # By both clocks: the one stands still while the machine sleeps, the other may be set back or forward.
    def _is_fresh(self, finding: Finding) -> bool:
        if finding.checked_at is None:
            return False
        age = self._clock.now() - finding.checked_at
        return timedelta(0) <= age < timedelta(seconds=TTL_S) and self._clock.monotonic() - self._checked_s < TTL_S

    def _ask(self, question: _Question) -> None:
        problem, retry_at, releases = _BROKEN, None, None
        try:
            releases = self._feed.list_releases()
        except ReleaseError as error:
            problem, retry_at = error.code.rpartition(".")[2], error.retry_at
        finally:
            self._conclude(question, releases, problem, retry_at)

    def _conclude(
        self, question: _Question, releases: tuple[Release, ...] | None, problem: str, retry_at: datetime | None
    ) -> None:
        with self._lock:
            if releases is None:
                self._note_failure(problem, retry_at)
            else:
                self._note_answer(releases)
            self._question = None
        question.answered.set()

    def _note_answer(self, releases: tuple[Release, ...]) -> None:
        self._failures = 0
        self._checked_s = self._clock.monotonic()
        self._finding = Finding(releases, self._clock.now())

    def _note_failure(self, problem: str, asked_for: datetime | None) -> None:
        now, now_s = self._clock.now(), self._clock.monotonic()
        pause_s = min(_RETRY_MAX_S, _RETRY_FIRST_S * 2.0**self._failures)
        if asked_for is not None:
            pause_s = min(TTL_S, max(_RETRY_FIRST_S, (asked_for - now).total_seconds()))
        self._failures = min(self._failures + 1, 8)
        self._not_before_s = now_s + pause_s
        if asked_for is not None or problem == "rate_limited":
            self._limited_until_s = self._not_before_s
        retry_at = now + timedelta(seconds=pause_s)
        self._finding = replace(self._finding, problem=problem, retry_at=retry_at)


def _start_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="releases", daemon=True).start()
