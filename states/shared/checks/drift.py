"""What runs against what would be started."""

from orchestrator.core.errors import RefusedError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.model.workloads import Drift
from states.shared.checks.app import check_version
from states.shared.checks.surroundings import Surroundings

_IMAGE = "image"


def check_drift(around: Surroundings) -> None:
    """The containers are as they would be made now, so that a start changes the version and nothing else."""
    ctx = around.ctx
    drift = ctx.ports.workloads.find_drift(ctx.find(FrozenProject))
    told = _is_version_told(around)
    found = [
        one for one in drift.differences if not (told and one.item == _IMAGE and one.service in ctx.target.services)
    ]
    refuse_drift(drift.model_copy(update={"differences": tuple(found)}))


def _is_version_told(around: Surroundings) -> bool:
    try:
        check_version(around)
    except RefusedError:
        return True
    return False


def refuse_drift(drift: Drift) -> None:
    """Refuse to go on where a start would change more than the version.

    Raises:
        RefusedError: ``refused.drift``.
    """
    if not drift:
        return
    count = "1 setting" if len(drift.differences) == 1 else f"{len(drift.differences)} settings"
    raise RefusedError(
        "refused.drift",
        f"What runs differs from what would be started in {count}: {drift}.",
        impact="An upgrade would have changed that without a word; nothing was touched.",
        hint=drift.hint,
    )
