"""The app as it runs, and what it is to become."""

from orchestrator.core.errors import RefusedError
from orchestrator.core.facts import Current, TargetRelease
from orchestrator.core.image_reference import Reference
from orchestrator.core.model.images import Pin
from orchestrator.core.model.workloads import ServiceStatus
from orchestrator.core.ports.recovery import ByHand
from states.shared.checks.surroundings import Surroundings


def check_image(around: Surroundings) -> None:
    """The release has an image for this machine."""
    target = around.ctx.find(TargetRelease)
    wanted = f"linux/{around.engine.architecture}"
    if target is None or not target.platforms:
        return
    if not any(workloads == wanted or workloads.startswith(f"{wanted}/") for workloads in target.platforms):
        raise RefusedError(
            "refused.architecture",
            f"Release {target.release.version} has no image for {wanted}, only for {', '.join(target.platforms)}.",
            hint="Wait for an image for this architecture or ask its author.",
        )


def check_version(around: Surroundings) -> None:
    """What runs is what the version variable says."""
    current = around.ctx.find(Current)
    if current is None:
        return
    text = around.ctx.ports.workloads.read_pin()
    others = [status for status in current.services if not is_pinned_to(status, text)]
    if others:
        start = around.ctx.ports.recovery.phrase(ByHand.START_APP)
        runs = ", ".join(f"{status.service} runs {status.image_reference}" for status in others)
        raise RefusedError(
            "refused.pin_differs",
            f"The version variable says {text}, but {runs}.",
            impact="Going back would start another version than the one that runs.",
            hint=f"Set the variable to what runs, or bring both together with {start}, then upgrade.",
        )


def is_pinned_to(status: ServiceStatus, text: str) -> bool:
    """Whether the text of a version variable stands for the image that a container runs: tag for tag, whole."""
    runs = Reference.parse(status.image_reference)
    try:
        said = Pin.parse(text)
    except ValueError:
        return False
    return said.tag == runs.tag and said.digest in {None, runs.digest, *status.digests}


# Asked anew: it may have come up since `check` looked, or have gone down.
# A container that was left by a recreation that was cut off never ran, and is no illness of the app.
def check_services(around: Surroundings) -> None:
    """The running version is healthy."""
    ctx = around.ctx
    current = ctx.find(Current)
    if current is None:
        return
    running = [status for status in ctx.ports.workloads.inspect_services(ctx.target.services) if status.running]
    down = set(ctx.target.services) - {status.service for status in running}
    if down or any(status.health == "unhealthy" for status in running):
        raise RefusedError(
            "refused.unhealthy",
            f"The running version {current.version} is not healthy, so nobody could tell an upgrade that failed.",
            hint=f"Look at {ctx.ports.recovery.phrase(ByHand.READ_LOGS)} and bring the app to health first.",
        )


def check_pin(around: Surroundings) -> None:
    """The version variable can be set."""
    around.ctx.ports.workloads.check_pin_writable()
