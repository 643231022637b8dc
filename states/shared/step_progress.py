"""What a step that has no bytes to count tells of itself: what it is, and how long it took in the rehearsal."""

from typing import Any, Literal

from orchestrator.core.facts import Rehearsal
from orchestrator.core.model.progress import Progress
from orchestrator.core.state_kind import StateContext


def build_progress(
    ctx: StateContext[Any], label: str, measured: Literal["copy_s", "migrate_s", "start_s"] | None = None
) -> Progress:
    """A step that begins; ``measured`` is where a rehearsal, if there was one, has noted its time."""
    rehearsal = ctx.find(Rehearsal) if measured else None
    seconds = rehearsal.model_dump()[measured] if rehearsal and measured else None
    return Progress(label=label, unit="", expected_s=seconds or None)
