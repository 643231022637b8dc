"""Choose the operations of a soak, in their order: pure, and the same for the same seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

FIRST = "1.0.0"
GOOD = "1.1.0"
BAD_MIGRATION = "1.2.0"
UNHEALTHY = ("1.3.0", "1.4.0")
RELEASES = (FIRST, GOOD, BAD_MIGRATION, *UNHEALTHY)


class Kind(StrEnum):
    """What is done to the app."""

    UPGRADE = "good upgrade"
    BAD_MIGRATION = "failed migration"
    UNHEALTHY_CLOSED = "unhealthy, gate closed"
    UNHEALTHY_OPEN = "unhealthy, gate open"
    ROLLBACK = "rollback by command"


GOES_BACK = (Kind.BAD_MIGRATION, Kind.UNHEALTHY_CLOSED, Kind.UNHEALTHY_OPEN)
OPENS_GATE = (Kind.UNHEALTHY_OPEN,)


@dataclass(frozen=True)
class Step:
    """One run. ``quiet``: the writers rest meanwhile, so that the data before and after can be compared in full."""

    kind: Kind
    release: str
    quiet: bool

    @property
    def expected(self) -> tuple[str, int]:
        """Verdict and exit code."""
        return ("rolled_back", 20) if self.kind in GOES_BACK else ("committed", 0)


def choose_rounds(seed: int, count: int, *, quiet_every: int = 4) -> Iterator[tuple[Step, ...]]:
    """``count`` rounds: a good upgrade, two bad ones before or after it, and back to the start.

    Every second round opens the gate to the unhealthy release; each ``quiet_every``-th is quiet.
    """
    chance = random.Random(seed)
    for number in range(count):
        quiet = number % quiet_every == quiet_every - 1
        unhealthy = Kind.UNHEALTHY_OPEN if number % 2 else Kind.UNHEALTHY_CLOSED
        steps = [
            Step(Kind.UPGRADE, GOOD, quiet),
            Step(Kind.BAD_MIGRATION, BAD_MIGRATION, quiet),
            Step(unhealthy, chance.choice(UNHEALTHY), quiet),
        ]
        chance.shuffle(steps)
        yield (*steps, Step(Kind.ROLLBACK, FIRST, quiet))
