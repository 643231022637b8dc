"""The old version as it can be started again."""

from typing import Any

from orchestrator.contract import StateContext
from orchestrator.facts import Current, FrozenProject


def find_old_pin(ctx: StateContext[Any]) -> str:
    """The text as it was, unless it now leads to another image here: then the old digest is added."""
    project, current = ctx.require(FrozenProject), ctx.require(Current)
    tag = project.pin_text.partition("@")[0]
    image = ctx.world.platform.find_image(f"{ctx.target.image}:{tag}")
    moved = image is not None and image.image_id != current.image_id
    return f"{tag}@{current.digest}" if moved and current.digest else project.pin_text
