"""The old version as it can be started again."""

from typing import Any

from orchestrator.contract import StateContext
from orchestrator.facts import Current, FrozenProject, StoppedServices


def finish_stop(ctx: StateContext[Any]) -> None:
    """Wait for the end of containers that were told to stop: started before it, they would still go down after it.

    An engine goes on stopping what it was told to stop when nobody waits for that any more. That it was told is seen
    from the restart policy, which is switched off first.
    """
    stopped = ctx.find(StoppedServices)
    known = {one.container_id for one in stopped.services} if stopped is not None else set()
    found = ctx.world.platform.inspect_services(ctx.target.services) if known else ()
    if any(one.running and one.restart_policy == "no" and one.container_id in known for one in found):
        ctx.world.platform.stop_services(ctx.target.services, deadline=ctx.deadline)


def find_old_pin(ctx: StateContext[Any]) -> str:
    """The text as it was, unless it now leads to another image here: then the old digest is added."""
    project, current = ctx.require(FrozenProject), ctx.require(Current)
    tag = project.pin_text.partition("@")[0]
    image = ctx.world.platform.find_image(f"{ctx.target.image}:{tag}")
    moved = image is not None and image.image_id != current.image_id
    return f"{tag}@{current.digest}" if moved and current.digest else project.pin_text
