"""The rules that a plan is held to, each with its number, its name, why it matters and what mends it.

The numbers are those under which the rules of a plan (G) and of a run (X) are known in this project; F are rules for
what follows on what, W are warnings: lawful, but unwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: an error refuses the plan, a warning is told."""

    ERROR = "error"
    WARNING = "warning"


class Blame(StrEnum):
    """Which line of the plan is to be changed: the last transition of the path, or a state."""

    TRANSITION = "transition"  # the one that led to where it went wrong
    DENIAL = "denial"  # the one that went on although the answer was no
    STATE = "state"  # the state in which it went wrong
    STOP = "stop"  # the state that stopped the app and left no copy behind


@dataclass(frozen=True)
class Rule:
    """One rule. ``what`` says what is wrong and ``mend`` what to write; ``{state}`` and ``{outcome}`` are of the line
    to change, ``{at}`` is where it went wrong.
    """

    id: str
    name: str
    level: Level
    blame: Blame
    what: str
    why: str
    mend: str

    @property
    def title(self) -> str:
        """Number and name."""
        return f"{self.id} {self.name}"


def _error(number: str, name: str, blame: Blame, *, what: str, why: str, mend: str) -> Rule:
    return Rule(number, name, Level.ERROR, blame, what, why, mend)


def _warning(number: str, name: str, blame: Blame, *, what: str, why: str, mend: str) -> Rule:
    return Rule(number, name, Level.WARNING, blame, what, why, mend)


_RULES = (
    _error(
        "F1",
        "needs-are-met",
        Blame.TRANSITION,
        what="`{at}` is entered without {missing}",
        why="A state that lacks what it works with can only fail, at a moment when the app may be down.",
        mend="Let a state that brings it come before `{at}`, or lead `{outcome}` of `{state}` elsewhere.",
    ),
    _error(
        "F2",
        "a-no-is-a-no",
        Blame.DENIAL,
        what="`{at}` goes on although `{state}` has said no (`{outcome}`)",
        why="What was asked for its opinion, a person or a trial, is there to stop an upgrade while it costs nothing.",
        mend="Let `{outcome}` of `{state}` lead to an end, such as `{{end: refused}}`.",
    ),
    _error(
        "G3",
        "commit-is-final",
        Blame.TRANSITION,
        what="`{at}` comes after the commit",
        why="Once users have saved something in the new version, what goes back or writes anew takes it away.",
        mend="Let `{outcome}` of `{state}` lead forward to an end; after a commit `orchestrator rollback` goes back.",
    ),
    _error(
        "G4",
        "backup-before-write",
        Blame.STATE,
        what="`{at}` may write to the database and there is no proven backup",
        why="Without a file that was read back in full, one bad disk or one bad migration is the end of the data.",
        mend="Let a state of the kind `backup` come before `{at}`.",
    ),
    _error(
        "G6",
        "back-stays-back",
        Blame.TRANSITION,
        what="`{at}` is on the way back and does not go back",
        why="A way back that leads forward again can meet the same failure for ever, with the app down.",
        mend="Let `{outcome}` of `{state}` lead to a state that goes back or changes nothing, or to an end.",
    ),
    _error(
        "G8",
        "keep-until-commit",
        Blame.TRANSITION,
        what="`{at}` lets go of what was kept, before the new version is committed",
        why="Old image, backups and set-aside data are the way back until nobody needs one any more.",
        mend="Let a state of the kind `commit` come before `{at}`.",
    ),
    _error(
        "G9",
        "no-network-once-it-counts",
        Blame.STATE,
        what="`{at}` needs the network when the database may be written already, or on the way back",
        why="A registry that is away then keeps the app down, or keeps the old version from coming back.",
        mend="Let `{at}` come before the app stops, or tell it to do without the network.",
    ),
    _error(
        "X1",
        "served-by-one",
        Blame.TRANSITION,
        what="the run ends at `{at}` and users reach no version",
        why="An end that is no cry for help promises that the app serves.",
        mend="Let `{outcome}` of `{state}` lead to a state that starts a version, such as `rollback`.",
    ),
    _error(
        "X2",
        "no-lost-write",
        Blame.STOP,
        what="`{at}` brings back data that lack what users have saved since",
        why="A write that a user was told is saved must be there when the app serves again.",
        mend="Let `{state}` take the snapshot when nobody writes any more (`stop` without `snapshot: false`), and "
        "enter `{at}` only after it.",
    ),
    _error(
        "X3",
        "schema-fits-version",
        Blame.TRANSITION,
        what="`{at}` starts a version on a database that is not its own",
        why="A version on another one's schema shows errors at best, and ruins the data at worst.",
        mend="Let a `restore` come before the old version starts, and the whole migration before the new one.",
    ),
    _error(
        "X4",
        "one-writer",
        Blame.TRANSITION,
        what="`{at}` works on the database while the app may be up",
        why="What two write at once, or what is copied while somebody writes, belongs to no version.",
        mend="Let a state of the kind `stop` lie between the last moment at which the app runs and `{at}`.",
    ),
    _error(
        "X6",
        "way-back-is-there",
        Blame.TRANSITION,
        what="`{at}` is to go back without {missing}",
        why="A way back that lacks what it needs leaves the app where it is: down.",
        mend="Let `{outcome}` of `{state}` lead to where less has to be undone, such as `rollback` or an end.",
    ),
    _error(
        "X7",
        "no-giving-up-dirty",
        Blame.TRANSITION,
        what="`{at}` leaves the app to an operator, and going back was not even tried",
        why="A run that stopped the app owes it a way back; a person at night is the last resort.",
        mend="Let `{outcome}` of `{state}` lead to `restore`, or to `rollback` where no data can be written yet.",
    ),
    _error(
        "X9",
        "recover-converges",
        Blame.TRANSITION,
        what="a run that is cut off in `{state}` is left to an operator, and going back was not even tried",
        why="After a power cut one command must bring the app back, also with nobody there.",
        mend="Leave `interrupted` out, so that the kind's own rule decides, or let it lead to a way back.",
    ),
    _error(
        "X10",
        "comes-to-an-end",
        Blame.STATE,
        what="a run can take {transitions} transitions, and {limit} are the most before it is stopped",
        why="A run that is stopped for going round and round ends in the middle, with the app as it happens to be.",
        mend="Give the states of the cycle fewer `attempts`.",
    ),
    _error(
        "X13",
        "honest-end",
        Blame.TRANSITION,
        what="`{at}` claims {claim}, and nobody has seen that",
        why="Scripts and people act on how a run has ended; a green end over a broken app is worse than a red one.",
        mend="Let `{outcome}` of `{state}` lead to the end that says what is so.",
    ),
    _warning(
        "W1",
        "download-while-down",
        Blame.STATE,
        what="`{at}` needs the network while the app is down",
        why="A slow or absent registry then is downtime.",
        mend="Download before the app stops (a state of the kind `pull`), and write `with: {{network: false}}` here.",
    ),
    _warning(
        "W2",
        "no-rehearsal",
        Blame.STATE,
        what="`{at}` writes to the database and nothing has tried it on a copy",
        why="A migration that fails then costs downtime that a rehearsal would have saved.",
        mend="Let a state of the kind `rehearse` come before the app stops.",
    ),
    _warning(
        "W3",
        "gate-open",
        Blame.STATE,
        what="`{at}` lets users into a version that may still have to go",
        why="What they save in it is not in the data that come back; it is set aside, to be looked for by hand.",
        mend="Write `with: {{gate: closed}}` here, and let a state of the kind `commit` open it.",
    ),
    _warning(
        "W4",
        "longer-than-the-window",
        Blame.STATE,
        what="the app can be down for {worst}, and the maintenance window is {window}",
        why="Who was promised a window is still waiting when it is over.",
        mend="Give the states from `{at}` on shorter deadlines, or state a longer `maintenance_window`.",
    ),
    _warning(
        "W5",
        "false-alarm",
        Blame.TRANSITION,
        what="`{at}` calls an operator although a version serves as it should",
        why="Who is called for nothing does not come when it counts.",
        mend="Let `{outcome}` of `{state}` lead to the end that says what is so.",
    ),
    _warning(
        "W6",
        "outlives-a-kill",
        Blame.STATE,
        what="`{at}` changes something from the host, where nothing ends it when the run is killed",
        why="`recover` ends what runs in containers first; a program on the host goes on beside it.",
        mend="Let it run in a service's image (`on: service`), or make it harmless to go on.",
    ),
    _warning(
        "W7",
        "hope-while-down",
        Blame.STATE,
        what="`{at}` only looks whether the new image is there, when the app is down already",
        why="Where nobody has brought it by hand, the app was stopped for nothing.",
        mend="Let a state of the kind `pull` come before the app stops, with `network: false` too if you bring it.",
    ),
    _warning(
        "W8",
        "former-name",
        Blame.STATE,
        what="`{at}` is of the kind `{former}`, which is called `{kind}` now",
        why="The former name still works, but pages and reports use the new one.",
        mend="Write `kind: {kind}`.",
    ),
)

RULES: Mapping[str, Rule] = {rule.id: rule for rule in _RULES}
