"""Choose the harm done to an operation from outside, and its moment: pure, and the same for the same seed.

Every operation has a generator of its own, made from seed and number, so that what the world does to one changes
nothing of what is chosen for the next.
"""

import random
from dataclasses import dataclass
from enum import StrEnum

ATTEMPTS = 6
_AGAIN = 0.35  # of the recoveries are cut off, too
_MEANWHILE = 0.15  # of the times between kill and recovery somebody restarts a container
_RESUMED = 0.25  # of the runs that were cut off are taken up by `resume`
_BY_RECORD = 0.5  # of the moments are chosen by the journal, the others by the clock
_DELAY_AT_MOST_S = 0.4


class Blow(StrEnum):
    """One thing that happens to an operation."""

    KILL = "SIGKILL"
    TERMINATE = "SIGTERM"
    INTERRUPT = "SIGINT"
    APP = "app restarted"
    DATABASE = "database restarted"
    CRASH = "database killed"


SIGNALS = (Blow.KILL, Blow.TERMINATE, Blow.INTERRUPT)
RESTARTS = (Blow.APP, Blow.DATABASE, Blow.CRASH)
_FIRST = {Blow.KILL: 60, Blow.TERMINATE: 10, Blow.INTERRUPT: 10, Blow.APP: 8, Blow.DATABASE: 6, Blow.CRASH: 6}
_LATER = {Blow.KILL: 80, Blow.TERMINATE: 20}


@dataclass(frozen=True)
class Hit:
    """A blow at a share (0 to 1) of an operation; ``delay_s`` after a journal record, None: by the clock."""

    blow: Blow
    share: float
    delay_s: float | None


@dataclass(frozen=True)
class Taking:
    """One attempt to take a run up: the command, and what is done to it."""

    command: str
    hit: Hit | None = None


@dataclass(frozen=True)
class Harm:
    """All that is done to one operation. ``meanwhile`` comes when it was cut off, before it is taken up."""

    first: Hit
    meanwhile: Blow | None
    takings: tuple[Taking, ...]


@dataclass(frozen=True)
class Measure:
    """What an operation that nobody disturbed took: seconds, and records in the journal."""

    seconds: float
    records: int


@dataclass(frozen=True)
class Moment:
    """``after_s`` from the beginning, or from the moment at which the run has ``records`` records more."""

    after_s: float
    records: int = 0


def choose_harm(seed: int, number: int, probability: float) -> Harm | None:
    """What is done to the operation with this number; None with probability 1 - ``probability``."""
    chance = random.Random(f"{seed}/{number}")
    if chance.random() >= probability:
        return None
    first = _choose_hit(chance, _FIRST)
    meanwhile = chance.choice(RESTARTS) if chance.random() < _MEANWHILE else None
    takings = [Taking("resume" if chance.random() < _RESUMED else "recover") for _ in range(ATTEMPTS)]
    # More than two cuts in one state give a run up, as the product says: then an operator is needed.
    if chance.random() < _AGAIN:
        takings[0] = Taking(takings[0].command, _choose_hit(chance, _LATER))
    return Harm(first, meanwhile, tuple(takings))


def find_moment(hit: Hit, measure: Measure) -> Moment:
    """When it is dealt to an operation that takes about as long as was measured."""
    if hit.delay_s is None:
        return Moment(hit.share * measure.seconds)
    return Moment(hit.delay_s, 1 + int(hit.share * measure.records))


def _choose_hit(chance: random.Random, weights: dict[Blow, int]) -> Hit:
    (blow,) = chance.choices(tuple(weights), tuple(weights.values()))
    share, delay_s, by_record = chance.random(), chance.uniform(0, _DELAY_AT_MOST_S), chance.random() < _BY_RECORD
    return Hit(blow, share, delay_s if by_record else None)
