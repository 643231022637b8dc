"""Bringing services up where their users reach them, so that the operator's own next `up` finds nothing to do."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from orchestrator.adapters.compose.command import Compose, up_command
from orchestrator.adapters.compose.dependencies import are_settled
from orchestrator.adapters.compose.isolated_network import clear_apart, dissolve, let_out
from orchestrator.adapters.compose.rendering import find_dependencies, is_same_project
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.host.private_file import write_private
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import FrozenProject


def start_open(
    engine: DockerEngine,
    compose: Compose,
    project: FrozenProject,
    services: Sequence[str],
    variables: Mapping[str, str],
    rendering: str,
    deadline: Deadline,
) -> None:
    """Bring them up as ``rendering`` says; ``variables`` holds the version variable with its pin.

    Those that run apart behind a gate are let out as they are.

    Raises:
        PlatformError: ``compose.failed``.
    """
    if let_out(engine, project, rendering, services):
        return
    clear_apart(engine, project, rendering, services)
    folder = read_folder(compose, project, variables, rendering)
    run_up(engine, compose, project, services, variables, rendering, folder, deadline)
    dissolve(engine, project, rendering, services)


@dataclass(frozen=True)
class FolderNow:
    """Whether a project's own folder still says what was frozen, and its hash for each service."""

    unchanged: bool
    hashes: Mapping[str, str]


def read_folder(compose: Compose, project: FrozenProject, variables: Mapping[str, str], rendering: str) -> FolderNow:
    """What Compose makes of the folder with these variables."""
    with ThreadPoolExecutor(max_workers=1) as aside:  # side by side: users wait for both
        hashing = aside.submit(compose.read_hashes, project.directory, variables)
        try:
            unchanged = is_same_project(compose.render(project.directory, variables), rendering)
        except PlatformError:
            unchanged = False
        return FolderNow(unchanged, hashing.result())


def run_up(
    engine: DockerEngine,
    compose: Compose,
    project: FrozenProject,
    services: Sequence[str],
    variables: Mapping[str, str],
    rendering: str,
    folder: FolderNow,
    deadline: Deadline,
    *,
    start: bool = True,
) -> Path:
    """Let Compose make their containers as ``rendering`` says, and start them; the file that says so.

    Raises:
        PlatformError: ``compose.failed``.
    """
    file = project.template.with_name("compose.services.json")
    write_private(file, rendering.encode())
    argv = _choose_up(engine, project, services, rendering, folder, file, start=start)
    compose.run(argv, project.directory, variables=variables, deadline=deadline)
    return file


# Compose hashes how a file says it, too (`env_file:` by its path), and labels containers with the path of
# the file. So the folder's own files are used for as long as they still mean what was frozen: the
# operator's next `docker compose up` then finds nothing to do.
def _choose_up(
    engine: DockerEngine,
    project: FrozenProject,
    services: Sequence[str],
    rendering: str,
    folder: FolderNow,
    file: Path,
    *,
    start: bool,
) -> list[str]:
    if folder.unchanged:
        settled = are_settled(engine, project.name, find_dependencies(rendering, services), folder.hashes)
        return up_command(project.directory, services, file=None, name=None, alone=not settled, start=start)
    return up_command(project.directory, services, file=file, name=project.name, start=start)
