"""The rules of a plan, each with its number, name, reason and remedy, as ``rules.toml`` lists them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files


class Level(StrEnum):
    """Severity: an error refuses the plan, a warning is shown."""

    ERROR = "error"
    WARNING = "warning"


class Blame(StrEnum):
    """Which line of the plan to change: the last transition of the path, or a state."""

    TRANSITION = "transition"  # the transition into the violation
    DENIAL = "denial"  # the transition that continues after a refusal
    STATE = "state"  # the state with the violation
    STOP = "stop"  # the state that stopped the app without a copy


@dataclass(frozen=True)
class Rule:
    """One rule. ``problem`` and ``remedy`` are templates; ``{state}`` and ``{outcome}`` are of the line to change,
    ``{at}`` is the place of the violation.
    """

    id: str
    name: str
    level: Level
    blame: Blame
    problem: str
    why: str
    remedy: str

    @property
    def title(self) -> str:
        """Number and name."""
        return f"{self.id} {self.name}"


def _read(number: str, blame: str, **texts: str) -> Rule:
    level = Level.WARNING if number.startswith("W") else Level.ERROR
    return Rule(number, level=level, blame=Blame(blame), **texts)


_TABLE = tomllib.loads(files(__package__).joinpath("rules.toml").read_text(encoding="utf-8"))

RULES: Mapping[str, Rule] = {number: _read(number, **row) for number, row in _TABLE.items()}
