"""Look up the services that a plan names in the compose files as they are written; start nothing."""

from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.errors import PlanError, UsageError
from orchestrator.core.state_kind import Kinds
from orchestrator.init.compose_text import list_services
from orchestrator.init.reading import read_compose_files
from orchestrator.plan.load import read_tree
from orchestrator.plan.schema import Plan
from orchestrator.plan.target import build_target
from orchestrator.plan.tree import KeyPath, Problems, suggest


def require_known_services(plan: Plan, kinds: Kinds) -> None:
    """Check that the project has every service that the plan names, where its compose files are at hand.

    Raises:
        PlanError: ``plan.unknown_service``, one problem for each place in the plan.
    """
    known = _find_known(plan.target.project)
    if not known:
        return
    tree = read_tree(plan.text, plan.source, Problems())
    problems = []
    for trail, service in _find_named(plan, kinds):
        if service not in known:
            place = tree.find(trail)[0]
            text = f"{'.'.join(map(str, trail))}: the project has no service `{service}`{suggest(service, known)}"
            problems.append(f"{plan.source}:{place.line}:{place.column}: {text}")
    if problems:
        raise PlanError(
            "plan.unknown_service",
            f"The plan {plan.source} names services that the compose files in {plan.target.project} do not have.",
            problems=tuple(problems),
            hint="Correct the name in the plan, or add the service to the compose file.",
        )


# Where a file cannot be read as text (a repository, an archive, no YAML for us), nothing is said here: `preflight` asks
# Compose, which reads them all.
def _find_known(folder: Path) -> frozenset[str]:
    try:
        files = read_compose_files(folder, ())
        names = [list_services(text, path, files) for path, text in files.items()]
    except (UsageError, OSError):
        return frozenset()
    if any(one is None for one in names):
        return frozenset()
    return frozenset(name for one in names for name in one or ())


def _find_named(plan: Plan, kinds: Kinds) -> Iterator[tuple[KeyPath, str]]:
    target = build_target(plan, kinds)
    yield from ((("target", "services", place), name) for place, name in enumerate(target.services))
    yield from ((("target", "disconnect", place), name) for place, name in enumerate(target.disconnect))
    if target.migrate:
        yield ("target", "migrate", 0), target.migrate[0]
    if target.database_service:
        yield ("database", "service"), target.database_service
    for command in target.commands:
        trail = tuple(command.place.split(": "))
        if command.service is not None and trail[0] == "states":
            yield trail, command.service
