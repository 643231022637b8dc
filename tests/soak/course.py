"""One operation from its beginning to its end, however often it is cut off on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline
from tests.soak.harm import Blow, Harm, Hit, Measure
from tests.soak.operation import Landed, Over, Position

NOT_BEGUN = "not begun"
NOTHING_TO_DO = "No run is unfinished"
_BETWEEN_ATTEMPTS_S = 1.0
_RECOVERY = Measure(seconds=5.0, records=8)


class Hands(Protocol):
    """What an operation needs of `Operator`."""

    def perform(self, arguments: Sequence[str], hit: Hit | None, measure: Measure) -> Over:
        """Run a command to its end."""

    def restart(self, blow: Blow) -> Landed | None:
        """Restart a container."""

    def look(self) -> Position:
        """How far the newest run is."""


@dataclass
class Course:
    """How it went. ``run`` is empty where it was cut off before there was one; ``exit_code`` is of the last command."""

    run: str = ""
    exit_code: int = 0
    landed: list[Landed] = field(default_factory=list)
    takings: int = 0
    said: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def pause_between_attempts() -> None:
    """Give a server that was restarted a moment."""
    Deadline(SystemClock(), 2 * _BETWEEN_ATTEMPTS_S, what="A pause").pause(_BETWEEN_ATTEMPTS_S)


class Courses:
    """Takes operations on one plan file through; what undisturbed ones took decides when the next are hit."""

    def __init__(self, hands: Hands, plan: str, pause: Callable[[], None] = pause_between_attempts) -> None:
        self._hands, self._plan, self._pause = hands, plan, pause
        self._recovery = _RECOVERY

    def take(self, arguments: Sequence[str], harm: Harm | None, measure: Measure) -> tuple[Course, Measure]:
        """Through to an end, and what such an operation takes when nobody disturbs it."""
        course, before = Course(), self._hands.look()
        over = self._perform(course, arguments, harm.first if harm else None, measure)
        if harm is not None and course.landed:
            self._take_up(course, harm)
            course.problems += self._recover_again(course)
        now = self._hands.look()
        course.run = now.run if now.run != before.run else ""
        if course.run and not now.verdict:
            course.problems.append(f"{course.run} has no end after it was taken up {course.takings} times")
        undisturbed = not course.landed
        return course, Measure(over.seconds, now.records) if undisturbed else measure

    def _take_up(self, course: Course, harm: Harm) -> None:
        if harm.meanwhile is not None and self._is_unfinished():
            restarted = self._hands.restart(harm.meanwhile)
            course.landed += [restarted] if restarted else []
        for taking in harm.takings:
            if not self._is_unfinished():
                return
            if course.takings > 1:
                self._pause()
            course.takings += 1
            hits, records = len(course.landed), self._hands.look().records
            over = self._perform(course, (taking.command, self._plan), taking.hit, self._recovery)
            if len(course.landed) == hits and not self._is_unfinished():
                self._recovery = Measure(over.seconds, max(1, self._hands.look().records - records))

    def _recover_again(self, course: Course) -> list[str]:
        """A second recovery has nothing to do, and does nothing."""
        before = self._hands.look()
        over = self._hands.perform(("recover", self._plan), None, self._recovery)
        if over.exit_code == 0 and NOTHING_TO_DO in over.said and self._hands.look() == before:
            return []
        course.said.append(over.said)
        return [f"a second recovery ended {over.exit_code} and said: {over.said}"]

    def _perform(self, course: Course, arguments: Sequence[str], hit: Hit | None, measure: Measure) -> Over:
        over = self._hands.perform(arguments, hit, measure)
        course.landed += [over.landed] if over.landed else []
        course.said.append(f"{arguments[0]} ({over.exit_code}): {over.said}")
        course.exit_code = over.exit_code
        return over

    def _is_unfinished(self) -> bool:
        now = self._hands.look()
        return bool(now.run) and not now.verdict
