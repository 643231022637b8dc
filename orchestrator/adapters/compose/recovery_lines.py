"""Lines for a shell, for one project: quoted, and each of them to be pasted again without harm."""

import shlex
from dataclasses import dataclass

from orchestrator.adapters.docker.models import RUN_LABEL
from orchestrator.core.facts import FrozenProject
from orchestrator.core.ports.recovery import WantedImage

_VALUE = "[^\"'[:space:]#]*"


@dataclass(frozen=True)
class ProjectLines:
    """Command lines for one project."""

    project: FrozenProject

    def compose(self, *arguments: str) -> str:
        """A line of Compose, for this project whatever the shell has set."""
        project = self.project
        argv = ["docker", "compose", "--project-name", project.name, "--project-directory", str(project.directory)]
        return shlex.join([*argv, *arguments])

    def up(self) -> str:
        """Start the services as the project's files say."""
        # Made anew: on the containers that were stopped the restart policy is off, and Compose does not see it.
        line = self.compose("up", "-d", "--no-build", "--pull", "never", "--force-recreate", *self.project.services)
        # A variable of the shell would win over the file.
        return f"env -u {self.project.variable} {line}" if self.project.variable else line

    def end_jobs(self, run_id: str) -> str:
        """End what the run has left at work, and keep what it said."""
        folder = shlex.quote(str(self.project.template.parent))
        label = shlex.quote(f"label={RUN_LABEL}={run_id}")
        return (
            f"docker ps --all --quiet --filter {label} | while read -r job; do docker stop $job >/dev/null;"
            f" docker logs $job >{folder}/$job.log 2>&1; docker rm --volumes $job; done"
        )

    def pin(self, text: str) -> str:
        """Set the version variable where it is set last; every other byte of the file stays."""
        path = str(self.project.directory / ".env")
        if not self.project.variable:
            return f"# set the version variable in {path} to {text}"
        name = self.project.variable.replace(".", r"\.")
        assignment = f"^[[:space:]]*(export[[:space:]]+)?{name}[[:space:]]*[=:]"
        file = shlex.quote(path)
        last = f"$(grep -nE {shlex.quote(assignment)} {file} | tail -n 1 | cut -d: -f1)"
        change = shlex.quote(f"s|({assignment}[[:space:]]*[\"']?){_VALUE}|\\1{text}|")
        return f'sed -i -E --follow-symlinks "{last}"{change} {file}'

    def hold(self, image: WantedImage) -> tuple[str, ...]:
        """The image by its id, where somebody has removed it meanwhile; and the name by which Compose looks for it."""
        tag = shlex.join(["docker", "tag", image.image_id, f"{image.repository}:{image.tag}"])
        digest = image.pin.partition("@")[2] or image.digest
        pull = shlex.join(["docker", "pull", f"{image.repository}@{digest}"])
        if image.tag == image.pin:
            by_name = shlex.join(["docker", "pull", f"{image.repository}:{image.tag}"])
            # The tag may lead elsewhere by now: only the image that ran counts.
            fetch = pull if digest else f"{{ {by_name} && {_look(image.image_id)}; }}"
            return (f"{_look(image.image_id)} || {fetch}", tag)
        # Compose asks for it by its digest, which an image has from a download only; its tag does as well.
        by_tag = f" || {{ {tag} && {self.pin(image.tag)}; }}" if self.project.variable else ""
        return (f"{_look(f'{image.repository}@{digest}')} || {pull}{by_tag}",)


def _look(image: str) -> str:
    return f"{shlex.join(['docker', 'image', 'inspect', image])} >/dev/null"
