"""What Compose says as it ends, made into errors; pure."""

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.errors import PlatformError
from orchestrator.redaction.terminal_text import keep_end

_SHOWN_CHARACTERS = 2000
# It has no exit code for an engine that is away; older and newer releases say it in these words.
_NO_ENGINE = ("cannot connect to the docker daemon", "failed to connect to the docker api", "error during connect")

# What the engine says of a port that it has given out itself. One that is killed in the fifth of a second in which it
# starts a container keeps the port taken when it comes back, whatever becomes of the container; restarted once more, it
# has let go of it (seen with 26.1).
_NO_PORT = "port is already allocated"
_PORT_TAKEN = (
    "End what has that port. If nothing has it (`docker ps`), the engine was killed as it started a container and still"
    " holds it: restart the engine, then do what is said below."
)
_NO_COMPOSE_FILE = "no configuration file provided"
# What the engine says where the image has no program of this name.
_NO_PROGRAM = re.compile(r'exec: "[^"\n]{1,200}": |exec format error')
_PARTLY_UP = "The services may be partly up; `docker compose ps` in the project's folder shows it."


@dataclass(frozen=True)
class Ended:
    """A process that is over."""

    exit_code: int
    output: str
    errors: str

    @property
    def last_words(self) -> str:
        """The end of what it said, for an operator."""
        return keep_end(self.errors.strip() or self.output.strip(), _SHOWN_CHARACTERS)


def explain_compose_failure(ended: Ended) -> PlatformError:
    """The error for a change that Compose could not make."""
    if any(words in ended.errors.lower() for words in _NO_ENGINE):
        return PlatformError(
            "engine.unreachable",
            f"`docker compose` does not reach the engine: {ended.last_words}",
            impact="What runs on it is not known.",
            hint="Look whether it runs (`docker info`) and whether this user may use it.",
        )
    if _NO_PROGRAM.search(ended.errors):
        return PlatformError(
            "compose.program_missing",
            f"`docker compose` ended with exit code {ended.exit_code}: {ended.last_words}",
            hint="The image has no such program: look at the command that the plan or the compose file names.",
        )
    return PlatformError(
        "compose.failed",
        f"`docker compose` ended with exit code {ended.exit_code}: {ended.last_words}",
        hint=_PORT_TAKEN if _NO_PORT in ended.errors else _PARTLY_UP,
    )


def explain_no_compose(words: str) -> PlatformError:
    """The error where the command or its plugin is not there."""
    return PlatformError(
        "engine.no_compose",
        f"`docker compose` is not there: {words}",
        hint="Install Docker's command line with its Compose plugin on this host.",
    )


def explain_no_file(directory: Path, words: str) -> PlatformError:
    """The error where Compose does not find a file: the compose file itself, or one that the project names."""
    if not words or _NO_COMPOSE_FILE in words:
        return explain_no_project(directory)
    return PlatformError(
        "compose.file_missing",
        f"A file that the project in {directory} names is not there: {words.splitlines()[0]}.",
        impact="Compose cannot read the project without it; nothing was changed.",
        hint="Put the file where it is looked for, or take its name out of the compose file or COMPOSE_FILE.",
    )


def explain_no_project(directory: Path) -> PlatformError:
    """The error where a folder holds no project."""
    return PlatformError(
        "compose.missing",
        f"There is no compose file in {directory}.",
        hint="Set `target.project` in the plan to the folder that holds it.",
    )
