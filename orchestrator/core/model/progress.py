"""Progress of a state, and the question to the operator."""

from pydantic import Field

from orchestrator.core.model.base import FrozenModel


class Question(FrozenModel):
    """The question that the operator answers before anything is changed."""

    title: str
    lines: tuple[str, ...]
    notes: str = ""
    prompt: str = "Upgrade now?"


class Progress(FrozenModel):
    """Progress of a state. ``total`` is None while it is unknown; ``unit`` is ``bytes`` or a plural noun.

    ``estimated``: the total is a guess. ``expected_s``: how long all of it takes, where a rehearsal has measured it.
    """

    label: str
    done: int = 0
    total: int | None = None
    unit: str = Field(default="bytes")
    estimated: bool = False
    expected_s: float | None = None
