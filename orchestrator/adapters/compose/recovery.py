"""Commands of Compose and its engine that an operator pastes: the old version back, or the new one on."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator.adapters.compose.recovery_lines import ProjectLines
from orchestrator.core.facts import FrozenProject
from orchestrator.core.ports.recovery import ByHand, Command, Goal, Installation, Situation, Step


class ComposeRecovery:
    """Recovery of the project, and the shell of its services."""

    def commands(self, situation: Situation) -> Sequence[Command]:
        """Stop what runs, then bring up the version that is to serve."""
        if situation.app is None:
            return (Command(Step.START, "docker ps  # nothing was changed yet; this shows what runs"),)
        return tuple(_build_commands(situation, ProjectLines(situation.app)))

    def remedy(self, code: str, app: Installation) -> Sequence[str]:
        """By code, or by its first part."""
        return _build_remedies(app).get(code) or _build_family_remedies(app).get(code.partition(".")[0], ())

    def phrase(self, deed: ByHand, subject: str = "") -> str:
        """The command, as a sentence names it."""
        return {
            ByHand.START_APP: "`docker compose up -d`",
            ByHand.READ_LOGS: "`docker compose logs`",
            ByHand.PULL_IMAGE: f"docker pull {subject}",
            ByHand.FIND_ENGINE: "DOCKER_HOST and at `docker context show`",
        }.get(deed, "")

    def ensure_up(self, app: FrozenProject, service: str) -> str:
        """The line that starts a service and waits until it is healthy."""
        return ProjectLines(app).compose("up", "-d", "--no-recreate", "--wait", "--pull", "never", service)

    def run_in(self, app: FrozenProject, service: str, argv: Sequence[str]) -> str:
        """The line that runs a program in a service."""
        return ProjectLines(app).compose("exec", "-T", service, *argv)

    def remedy_in(self, app: Installation, service: str, argv: Sequence[str]) -> Sequence[str]:
        """A program in a service, for a terminal."""
        return (*_compose(app.directory), "exec", service, *argv)


def _build_commands(situation: Situation, lines: ProjectLines) -> Iterator[Command]:
    services = lines.project.services
    if situation.goal is Goal.BACK:
        yield Command(Step.STOP, lines.compose("stop", *services))
        yield Command(Step.STOP, lines.end_jobs(situation.run_id))
    if situation.goal is not Goal.LOOK:
        yield Command(Step.START, lines.pin(situation.pin))
        for image in situation.images:
            yield from (Command(Step.START, line) for line in lines.hold(image))
        yield Command(Step.START, lines.up())
    yield Command(Step.START, lines.compose("ps"))
    if situation.goal is Goal.FORWARD:
        yield Command(Step.START, lines.compose("logs", "--tail", "20", *services))


def _compose(directory: Path) -> tuple[str, ...]:
    return ("docker", "compose", "--project-directory", str(directory))


def _build_remedies(app: Installation) -> Mapping[str, Sequence[str]]:
    compose, folder, env = _compose(app.directory), str(app.directory), f"{app.directory}/.env"
    logs = (*compose, "logs", "--tail", "50", *app.services)
    up, find_variable = (*compose, "up", "-d", *app.services), ("grep", "-n", app.version_variable, env)
    find_image = ("docker", "manifest", "inspect", f"{app.image}:latest")
    return {
        "engine.unreachable": ("sudo", "systemctl", "start", "docker"),
        "engine.no_compose": ("sudo", "apt-get", "install", "docker-compose-plugin"),
        "compose.missing": ("ls", "-l", folder),
        "compose.file_missing": ("ls", "-l", folder),
        "service.unknown": (*compose, "config", "--services"),
        "env.missing": ("touch", env),
        "env.variable_missing": find_variable,
        "env.variable_unused": (*compose, "config", "--images"),
        "env.not_writable": ("ls", "-ld", folder, env),
        "refused.not_running": up,
        "refused.mixed_versions": up,
        "refused.pin_differs": find_variable,
        "refused.drift": (*compose, "config"),
        "refused.unhealthy": logs,
        "doctor.no_answer": logs,
        "refused.no_space": ("df", "-h", str(app.backups), "/var/lib/docker"),
        "image.denied": ("docker", "login", app.image.partition("/")[0]),
        "image.unreachable": find_image,
        "image.not_found": find_image,
        "refused.volume_shared": ("docker", "ps", "--no-trunc", "--format", "{{.Names}} {{.Mounts}}"),
    }


# The platform shows what a server says that does not answer, whatever its product.
def _build_family_remedies(app: Installation) -> Mapping[str, Sequence[str]]:
    compose = _compose(app.directory)
    server_logs = (*compose, "logs", "--tail", "50", *([app.store_service] if app.store_service else []))
    return {"database": server_logs, "stage": server_logs, "compose": (*compose, "config", "--quiet")}
