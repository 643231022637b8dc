"""The old version as it can be started again."""

from collections.abc import Mapping
from typing import Any

from orchestrator.core.facts import Current, FrozenProject, StoppedServices
from orchestrator.core.image_reference import Reference
from orchestrator.core.state_kind import StateContext


def finish_stop(ctx: StateContext[Any]) -> None:
    """Wait for the end of containers that were told to stop: started before it, they would still go down after it.

    An engine goes on stopping what it was told to stop when nobody waits for that any more. That it was told is seen
    from the restart policy, which is switched off first.
    """
    stopped = ctx.find(StoppedServices)
    known = {one.container_id for one in stopped.services} if stopped is not None else set()
    found = ctx.ports.workloads.inspect_services(ctx.target.services) if known else ()
    if any(one.running and one.restart_policy == "no" and one.container_id in known for one in found):
        ctx.ports.workloads.stop_services(ctx.target.services, deadline=ctx.deadline)


def find_old_pin(ctx: StateContext[Any]) -> str:
    """The version variable as the containers ran with it, which is not always what was written down for them."""
    project, current = ctx.require(FrozenProject), ctx.require(Current)
    ran = {Reference.parse(one.image_reference).pin for one in current.services}
    return ran.pop() if len(ran) == 1 and "" not in ran else project.pin_text


def find_old_images(ctx: StateContext[Any]) -> Mapping[str, str]:
    """Service → id of the image that it ran: what its name leads to by now does not matter."""
    current = ctx.require(Current)
    ran = {one.service: one.image_id for one in current.services}
    return {service: ran.get(service, current.image_id) for service in ctx.target.services}
