"""What runs against what would be started."""

from __future__ import annotations

from orchestrator.drift import refuse_drift
from orchestrator.errors import RefusedError
from orchestrator.facts import FrozenProject
from states.looks.app import look_at_version
from states.looks.surroundings import Surroundings

_IMAGE = "image"


def look_at_drift(around: Surroundings) -> None:
    """The containers are as they would be made now, so that a start changes the version and nothing else."""
    ctx = around.ctx
    drift = ctx.world.platform.find_drift(ctx.find(FrozenProject))
    told = _is_version_told(around)
    found = [
        one for one in drift.differences if not (told and one.item == _IMAGE and one.service in ctx.target.services)
    ]
    refuse_drift(drift.model_copy(update={"differences": tuple(found)}))


def _is_version_told(around: Surroundings) -> bool:
    try:
        look_at_version(around)
    except RefusedError:
        return True
    return False
