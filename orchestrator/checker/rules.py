"""The rules of a plan, each with its number, name, reason and remedy.

G numbers are rules of a plan and X numbers rules of a run, as elsewhere in this project; F are rules of order, W are
warnings: allowed, but unwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


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


def _error(number: str, name: str, blame: Blame, *, problem: str, why: str, remedy: str) -> Rule:
    return Rule(number, name, Level.ERROR, blame, problem, why, remedy)


def _warning(number: str, name: str, blame: Blame, *, problem: str, why: str, remedy: str) -> Rule:
    return Rule(number, name, Level.WARNING, blame, problem, why, remedy)


_RULES = (
    _error(
        "F1",
        "needs-are-met",
        Blame.TRANSITION,
        problem="`{at}` is entered without {missing}",
        why="A state that lacks what it works with can only fail, at a moment when the app may be down.",
        remedy="Let a state that provides it come before `{at}`, or lead `{outcome}` of `{state}` elsewhere.",
    ),
    _error(
        "F2",
        "a-no-is-a-no",
        Blame.DENIAL,
        problem="`{at}` goes on although `{state}` has refused (`{outcome}`)",
        why="A person or a trial that is asked is there to stop an upgrade while stopping costs nothing.",
        remedy="Let `{outcome}` of `{state}` lead to an end, such as `{{end: refused}}`.",
    ),
    _error(
        "G3",
        "commit-is-final",
        Blame.TRANSITION,
        problem="`{at}` comes after the commit",
        why="Once users have saved something in the new version, going back or writing anew loses it.",
        remedy="Let `{outcome}` of `{state}` lead forward to an end; after a commit `orchestrator rollback` goes back.",
    ),
    _error(
        "G4",
        "backup-before-write",
        Blame.STATE,
        problem="`{at}` may write to the database and there is no proven backup",
        why="Without a file that was read back in full, one bad disk or one bad migration is the end of the data.",
        remedy="Let a state of the kind `backup` come before `{at}`.",
    ),
    _error(
        "G6",
        "back-stays-back",
        Blame.TRANSITION,
        problem="`{at}` is on the way back and does not go back",
        why="A way back that leads forward again can meet the same failure for ever, with the app down.",
        remedy="Let `{outcome}` of `{state}` lead to a state that goes back or changes nothing, or to an end.",
    ),
    _error(
        "G8",
        "keep-until-commit",
        Blame.TRANSITION,
        problem="`{at}` removes what was kept, before the new version is committed",
        why="Old image, backups and set-aside data are the way back until none is needed any more.",
        remedy="Let a state of the kind `commit` come before `{at}`.",
    ),
    _error(
        "G9",
        "no-network-once-it-counts",
        Blame.STATE,
        problem="`{at}` needs the network when the database may be written already, or on the way back",
        why="A registry that is away then keeps the app down, or keeps the old version from coming back.",
        remedy="Let `{at}` come before the app stops, or tell it to do without the network.",
    ),
    _error(
        "X1",
        "served-by-one",
        Blame.TRANSITION,
        problem="the run ends at `{at}` and users reach no version",
        why="Every end but `needs_operator` promises that the app serves.",
        remedy="Let `{outcome}` of `{state}` lead to a state that starts a version, such as `rollback`.",
    ),
    _error(
        "X2",
        "no-lost-write",
        Blame.STOP,
        problem="`{at}` brings back data that lack what users have saved since",
        why="A write that a user was told is saved must be there when the app serves again.",
        remedy="Let `{state}` take the snapshot when nobody writes any more (`stop` without `snapshot: false`), and "
        "enter `{at}` only after it.",
    ),
    _error(
        "X3",
        "schema-fits-version",
        Blame.TRANSITION,
        problem="`{at}` starts a version on the database of another one",
        why="A version on another one's schema shows errors at best, and ruins the data at worst.",
        remedy="Let a `restore` come before the old version starts, and the whole migration before the new one.",
    ),
    _error(
        "X4",
        "one-writer",
        Blame.TRANSITION,
        problem="`{at}` works on the database while the app may be up",
        why="Data that two write at once, or that is copied during a write, belongs to no version.",
        remedy="Let a state of the kind `stop` lie between the last moment at which the app runs and `{at}`.",
    ),
    _error(
        "X6",
        "way-back-is-there",
        Blame.TRANSITION,
        problem="`{at}` is to go back without {missing}",
        why="A way back that lacks what it needs leaves the app where it is: down.",
        remedy="Let `{outcome}` of `{state}` lead to where less has to be undone, such as `rollback` or an end.",
    ),
    _error(
        "X7",
        "no-giving-up-dirty",
        Blame.TRANSITION,
        problem="`{at}` leaves the app to an operator, and going back was not even tried",
        why="A run that stopped the app owes it a way back; a person at night is the last resort.",
        remedy="Let `{outcome}` of `{state}` lead to `restore`, or to `rollback` where no data can be written yet.",
    ),
    _error(
        "X9",
        "recover-converges",
        Blame.TRANSITION,
        problem="a run that is cut off in `{state}` is left to an operator, and going back was not even tried",
        why="After a power cut one command must bring the app back, also with nobody there.",
        remedy="Leave `interrupted` out, so that the kind's own rule decides, or let it lead to a way back.",
    ),
    _error(
        "X10",
        "comes-to-an-end",
        Blame.STATE,
        problem="a run can take {transitions} transitions, and {limit} are the most before it is stopped",
        why="A run that is stopped in a loop ends in the middle, with the app as it happens to be.",
        remedy="Give the states of the cycle fewer `attempts`.",
    ),
    _error(
        "X13",
        "honest-end",
        Blame.TRANSITION,
        problem="`{at}` claims {claim}, and no state has seen that",
        why="Scripts and people act on how a run has ended; a green end over a broken app is worse than a red one.",
        remedy="Let `{outcome}` of `{state}` lead to the end that is true.",
    ),
    _warning(
        "W1",
        "download-while-down",
        Blame.STATE,
        problem="`{at}` needs the network while the app is down",
        why="A slow or absent registry then is downtime.",
        remedy="Download before the app stops (a state of the kind `pull`), and write `with: {{network: false}}` here.",
    ),
    _warning(
        "W2",
        "no-rehearsal",
        Blame.STATE,
        problem="`{at}` writes to the database and nothing has tried it on a copy",
        why="A migration that fails then costs downtime that a rehearsal would have saved.",
        remedy="Let a state of the kind `rehearse` come before the app stops.",
    ),
    _warning(
        "W3",
        "gate-open",
        Blame.STATE,
        problem="`{at}` lets users into a version that may still have to go",
        why="What they save in it is not in the data that come back; it is set aside, to be looked for by hand.",
        remedy="Write `with: {{gate: closed}}` here, and let a state of the kind `commit` open it.",
    ),
    _warning(
        "W4",
        "longer-than-the-window",
        Blame.STATE,
        problem="the app can be down for {worst}, and the maintenance window is {window}",
        why="Users who were promised a window still wait when it is over.",
        remedy="Give the states from `{at}` on shorter deadlines, or state a longer `maintenance_window`.",
    ),
    _warning(
        "W5",
        "false-alarm",
        Blame.TRANSITION,
        problem="`{at}` calls an operator although a version serves as it should",
        why="Operators who are called for nothing do not come when it counts.",
        remedy="Let `{outcome}` of `{state}` lead to the end that is true.",
    ),
    _warning(
        "W6",
        "outlives-a-kill",
        Blame.STATE,
        problem="`{at}` changes something from the host, where nothing ends it when the run is killed",
        why="`recover` ends what runs in containers first; a program on the host goes on beside it.",
        remedy="Let it run in a service's image (`on: service`), or make it harmless to go on.",
    ),
    _warning(
        "W7",
        "hope-while-down",
        Blame.STATE,
        problem="`{at}` only looks whether the new image is there, when the app is down already",
        why="Where it was not brought by hand, the app was stopped for nothing.",
        remedy="Let a state of the kind `pull` come before the app stops, with `network: false` too if you bring it.",
    ),
    _warning(
        "W8",
        "former-name",
        Blame.STATE,
        problem="`{at}` is of the kind `{former}`, which is called `{kind}` now",
        why="The former name still works, but pages and reports use the new one.",
        remedy="Write `kind: {kind}`.",
    ),
)

RULES: Mapping[str, Rule] = {rule.id: rule for rule in _RULES}
