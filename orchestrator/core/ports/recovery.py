"""What an operator does by hand where the orchestrator cannot: each adapter says the commands of its own product.

Pure: an adapter answers from its arguments and contacts nothing. Lines are quoted for a shell, and each may be pasted
again without harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum, auto
from pathlib import Path
from typing import NamedTuple, Protocol

from orchestrator.core.facts import FrozenProject
from orchestrator.core.model.stores import ChangeToken
from orchestrator.core.store_facts import BackupManifest, Fence


class Step(IntEnum):
    """The order in which the lines of all adapters are pasted."""

    STOP = auto()
    RETURN_DATA = auto()
    UNLOCK = auto()
    START = auto()


class Command(NamedTuple):
    """A line for a shell; one that begins with ``#`` is a remark."""

    step: Step
    line: str


class Goal(StrEnum):
    """Where a run that was cut off leads by hand."""

    LOOK = "look"  # nothing was changed that would have to go back
    BACK = "back"  # the old version, on the data of the stop
    FORWARD = "forward"  # the new version is committed and stays


@dataclass(frozen=True)
class WantedImage:
    """An image by its id, and the name ``repository:pin`` under which the app asks for it."""

    repository: str
    pin: str
    image_id: str
    digest: str | None

    @property
    def tag(self) -> str:
        """The tag of the pin, without its digest."""
        return self.pin.partition("@")[0]


@dataclass(frozen=True)
class Exchange:
    """``replica``, which lies beside the live data, takes their name ``live``.

    ``token`` tells the data of the stop apart: live data of another identity were exchanged before. ``original``: the
    replica *is* the data of the stop, not a copy of them.
    """

    live: str
    replica: str
    token: ChangeToken | None
    original: bool = False


@dataclass(frozen=True)
class Reload:
    """A backup is loaded beside the live data and takes their name; ``remark`` says what is to be known before."""

    live: str
    backup: BackupManifest
    remark: str
    token: ChangeToken | None


@dataclass(frozen=True)
class StoreSituation:
    """What has to become of a store.

    ``lock`` is the fence around its data, ``data`` which of them become the live ones: None where they are as they
    should be.
    """

    store: str
    lock: Fence | None = None
    data: Exchange | Reload | None = None


@dataclass(frozen=True)
class Situation:
    """Where a run ended, and what has to serve now. ``app`` is None where the run has not looked at it yet."""

    run_id: str
    goal: Goal
    app: FrozenProject | None = None
    pin: str = ""
    images: tuple[WantedImage, ...] = ()
    stores: tuple[StoreSituation, ...] = ()


@dataclass(frozen=True)
class Installation:
    """An app on this host as its plan names it, before the platform was asked anything."""

    directory: Path
    services: tuple[str, ...]
    image: str
    version_variable: str
    backups: Path
    store_service: str = ""


class ByHand(StrEnum):
    """What a hint asks an operator to do; each is done by one product."""

    START_APP = "start_app"
    READ_LOGS = "read_logs"
    PULL_IMAGE = "pull_image"
    FIND_ENGINE = "find_engine"


class Recovery(Protocol):
    """The commands of one product."""

    def commands(self, situation: Situation) -> Sequence[Command]:
        """Lines that lead out of a situation, in order."""

    def remedy(self, code: str, app: Installation) -> Sequence[str]:
        """The command that corrects an error of this code, or shows what only a person can; empty if there is none."""

    def phrase(self, deed: ByHand, subject: str = "") -> str:
        """Words for the sentence of a hint: what to run or look at; empty where it is another product's."""


class ServiceShell(Protocol):
    """How a line reaches a service of the app; the recovery of a server that runs in one is told by it."""

    def ensure_up(self, app: FrozenProject, service: str) -> str:
        """The line that starts a service and waits for it; one that runs stays as it is."""

    def run_in(self, app: FrozenProject, service: str, argv: Sequence[str]) -> str:
        """The line that runs a program in a service."""

    def remedy_in(self, app: Installation, service: str, argv: Sequence[str]) -> Sequence[str]:
        """The same before the platform was asked for the project's name, for a terminal."""


@dataclass(frozen=True)
class JoinedRecovery:
    """Recovery by several products, in the order of the steps."""

    parts: tuple[Recovery, ...]

    def commands(self, situation: Situation) -> Sequence[Command]:
        """The lines of all, by step; within a step in the order of the parts."""
        told = [command for part in self.parts for command in part.commands(situation)]
        return sorted(told, key=lambda command: command.step)

    def remedy(self, code: str, app: Installation) -> Sequence[str]:
        """The command of the first part that knows one."""
        return next((found for part in self.parts if (found := part.remedy(code, app))), ())

    def phrase(self, deed: ByHand, subject: str = "") -> str:
        """The words of the part whose deed it is."""
        return next((found for part in self.parts if (found := part.phrase(deed, subject))), "")
