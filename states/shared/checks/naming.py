"""What the plan names: services, commands and addresses that are otherwise only tried with the app down."""

from collections.abc import Sequence

from orchestrator.core.facts import FrozenProject, TargetRelease
from orchestrator.core.foresight import Obstacle, PlannedUse
from states.shared.checks.surroundings import Surroundings


def check_names(around: Surroundings) -> Sequence[Obstacle]:
    """Every service and every program that the plan names is there."""
    ctx, target = around.ctx, around.ctx.find(TargetRelease)
    project = ctx.find(FrozenProject)
    if project is None:
        return ()
    named = {
        "target: disconnect": ctx.target.disconnect,
        "database: service": (ctx.target.database_service,) if ctx.target.database_service else (),
    }
    use = PlannedUse(
        named=named,
        commands=ctx.target.commands,
        pin=str(target.pin) if target else project.pin_text,
        rehearsed=ctx.rehearsed,
    )
    return ctx.ports.workloads.find_obstacles(project, use)
