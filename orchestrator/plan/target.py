"""Build what the states need to know of a plan's target."""

from orchestrator.core.state_kind import AppSpec, HealthCheck, Kinds
from orchestrator.plan.schema import Plan


def build_target(plan: Plan, kinds: Kinds) -> AppSpec:
    """Build the spec of the app from the plan's target."""
    health, migrate = plan.target.health, plan.target.migrate
    found = (kinds[spec.kind].find_commands(spec.name, spec.options, migrate) for spec in plan.states.values())
    version = health.version
    return AppSpec(
        services=plan.target.services,
        image=plan.target.image,
        migrate=plan.target.migrate,
        version_variable=plan.target.version_variable,
        disconnect=plan.target.disconnect,
        database_service=plan.database.service if plan.database else "",
        commands=tuple(dict.fromkeys(command for commands in found for command in commands)),
        health=HealthCheck(
            url=health.url,
            steady_for_s=health.steady_for_s,
            version_url=(version.url or health.url) if version else None,
            version_field=version.field if version else "version",
            gives_up_early=(health.give_up or ("early" if plan.target.migrate else "deadline")) == "early",
        ),
    )
