"""Why a run left the way forward, read from its records: which state, what it said, and whose failure it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.core.owners import ADVICE, Owner
from orchestrator.core.state_kind import FAILED, TIMEOUT
from orchestrator.journal.journal import Record

_WORDS_LINES = 20


@dataclass(frozen=True)
class Failure:
    """The state, its sentences, and the last log lines of what has failed there.

    ``code`` and ``owner`` are those of its error; empty and None in the journals of earlier versions, which have none.
    """

    state: str
    kind: str
    cause: str
    words: tuple[str, ...]
    code: str = ""
    owner: Owner | None = None

    @property
    def of_release(self) -> bool:
        """Whether it counts against the release; one without an owner does, as it did when it was written."""
        return self.owner in (Owner.RELEASE, None)

    def to_json(self) -> dict[str, Any]:
        """As in the document of a run."""
        return {**vars(self), "words": list(self.words), "code": self.code or None}


def find_failures(records: Iterable[Record]) -> tuple[Failure, ...]:
    """All of a run in the order in which they came; the first is why it left the way forward."""
    kinds: dict[str, str] = {}
    found: list[Failure] = []
    for record in records:
        # A run that was cut off between two states can leave the second without having entered it.
        kinds[record.state] = str(record.payload.get("kind", kinds.get(record.state, "")))
        if record.record == "left" and record.payload["outcome"] in (FAILED, TIMEOUT):
            found.append(_read(record, kinds[record.state]))
    return tuple(found)


def choose_advice(failure: Failure, request: Mapping[str, Any]) -> str:
    """What the owner of a failure does about it, a sentence without its end; ``request`` is that of the run."""
    if failure.code == "run.interrupted":
        return "run the same command again when you are ready: you interrupted it"
    if failure.of_release and request.get("operation", "upgrade") != "upgrade":
        return "look at the last log lines of the version that was to run"
    return ADVICE[failure.owner or Owner.RELEASE]


def find_failure(records: Iterable[Record]) -> Failure | None:
    """The first one; None where none was met."""
    return next(iter(find_failures(records)), None)


# Below the line of its sentences a reason has log lines: `StateError.story` puts them there.
def _read(record: Record, kind: str) -> Failure:
    cause, _, words = str(record.payload["reason"]).partition("\n")
    return Failure(
        state=record.state,
        kind=kind,
        cause=cause,
        words=tuple(words.splitlines()[-_WORDS_LINES:]),
        code=str(record.payload.get("code", "")),
        owner=_read_owner(record.payload.get("owner")),
    )


def _read_owner(text: object) -> Owner | None:
    return Owner(text) if isinstance(text, str) and text in list(Owner) else None
