"""The new version's image on this host."""

from typing import Any

from orchestrator.core.facts import PulledImage, TargetRelease
from orchestrator.core.state_kind import StateContext


def find_new_image(ctx: StateContext[Any]) -> str | None:
    """Id of the image of the release: the one that was pulled, whatever its names lead to by now; None without one."""
    target, pulled = ctx.require(TargetRelease), ctx.find(PulledImage)
    if pulled is not None and pulled.digest == target.digest:
        return pulled.image_id
    image = ctx.ports.images.find(f"{target.repository}@{target.digest}")
    return image.image_id if image else None


def find_new_images(ctx: StateContext[Any]) -> dict[str, str]:
    """Service → id of the image that it is to run."""
    image_id = find_new_image(ctx)
    return dict.fromkeys(ctx.target.services, image_id) if image_id else {}
