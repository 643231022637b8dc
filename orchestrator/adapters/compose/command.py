"""The door to other processes: Compose's command lines as lists, and the one class that runs such lists."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from orchestrator.adapters.compose.errors import (
    Ended,
    explain_compose_failure,
    explain_no_compose,
    explain_no_file,
    explain_no_project,
)
from orchestrator.adapters.compose.secret_sources import learn_rendering
from orchestrator.adapters.docker.models import RUN_LABEL
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import CommandError, PlatformError
from orchestrator.core.files import NEW_FILE
from orchestrator.redaction.redactor import Redactor
from orchestrator.redaction.terminal_text import keep_end

_QUICK_S = 60.0
_SAID_AT_MOST = 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_NO_FILE = 14  # exit codes of Compose

_PASSED_ON = frozenset(
    {
        "PATH",
        "HOME",
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKER_CONFIG",
        "DOCKER_CERT_PATH",
        "DOCKER_TLS_VERIFY",
    }
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "SSH_AUTH_SOCK", "LANG", "LC_ALL", "TZ"}
    | {
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "all_proxy",
    }
)
_ALWAYS = {
    "COMPOSE_ANSI": "never",
    "COMPOSE_MENU": "0",
    "DOCKER_CLI_HINTS": "false",
    # What is included comes from this host: a repository or a registry can say something else tomorrow.
    "COMPOSE_EXPERIMENTAL_GIT_REMOTE": "false",
    "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "false",
}


def build_environment(source: Mapping[str, str], host: str | None = None) -> dict[str, str]:
    """What a child gets of our environment; ``host`` replaces ``DOCKER_HOST``.

    Nothing that would change what Compose reads from the project: that is the ``.env``'s to say.
    """
    kept = {name: value for name, value in source.items() if name in _PASSED_ON or name.startswith("XDG_")}
    if host is not None:
        kept.pop("DOCKER_CONTEXT", None)
        kept["DOCKER_HOST"] = host
    return {**kept, **_ALWAYS}


def version_command() -> list[str]:
    """Command line that prints Compose's version."""
    return ["docker", "compose", "version", "--short"]


def config_command(directory: Path) -> list[str]:
    """Command line that renders the project of a folder as JSON."""
    return ["docker", "compose", "--project-directory", str(directory), "config", "--format", "json"]


def hash_command(directory: Path, file: Path | None = None, name: str | None = None) -> list[str]:
    """Command line that prints a line ``service hash`` for each service of a folder's project, or of a ``file``."""
    return [*_project(directory, file, name), "config", "--hash", "*"]


def up_command(
    directory: Path,
    services: Sequence[str],
    *,
    file: Path | None,
    name: str | None,
    alone: bool = True,
    start: bool = True,
) -> list[str]:
    """Command line that brings up these services, ``alone`` without what they depend on.

    ``file`` None reads the folder's own files. Without ``start`` their containers are made and not started.
    """
    argv = [*_project(directory, file, name), "up", "--detach" if start else "--no-start"]
    return [*argv, "--no-build", "--pull", "never", *(["--no-deps"] if alone else []), "--", *services]


def start_command(directory: Path, services: Sequence[str], *, file: Path, name: str) -> list[str]:
    """Command line that starts the containers of these services in the order of their dependencies."""
    return [*_project(directory, file, name), "start", "--", *services]


def job_command(
    directory: Path, job: str, command: Sequence[str], *, file: Path, name: str, run_id: str, alone: bool = True
) -> list[str]:
    """Command line that starts ``command`` = (service, argument …) in a one-off container named ``job``.

    ``alone`` without what the service depends on. Never ``--rm``: the exit code would go with the container.
    """
    argv = [*_project(directory, file, name), "run", "--detach", *(["--no-deps"] if alone else []), "--no-TTY"]
    return [*argv, "--name", job, "--label", f"{RUN_LABEL}={run_id}", "--", *command]


class Compose:
    """Runs argv lists: never a shell, stdin detached, in a session of its own: Ctrl-C comes to us only.

    ``mask`` learns the secrets of each project that is rendered, and takes them out of what is kept of a command.
    """

    def __init__(
        self, environment: Mapping[str, str], host: str | None = None, *, mask: Redactor | None = None
    ) -> None:
        self._environment = build_environment(environment, host)
        self.mask = mask or Redactor()
        self._version: str | None = None

    @property
    def search_path(self) -> str:
        """Where a program without a folder in its name is looked for, as in ``PATH``."""
        return self._environment.get("PATH", os.defpath)

    def read_version(self) -> str:
        """Compose's version, which it is asked for once.

        Raises:
            PlatformError: ``engine.no_compose``.
        """
        if self._version is None:
            ended = self._quick(version_command(), Path("/"))
            if ended.exit_code != 0:
                raise explain_no_compose(ended.last_words)
            self._version = ended.output.strip()
        return self._version

    def render(self, directory: Path, variables: Mapping[str, str]) -> str:
        """The project of a folder as JSON, with these variables over those of its ``.env``.

        Raises:
            PlatformError: ``compose.missing``, ``compose.file_missing``, ``compose.invalid``, ``engine.no_compose``.
        """
        if not directory.is_dir():
            raise explain_no_project(directory)
        ended = self._quick(config_command(directory), directory, variables)
        if ended.exit_code == _NO_FILE:
            raise explain_no_file(directory, ended.last_words)
        if ended.exit_code != 0:
            raise PlatformError(
                "compose.invalid",
                f"Compose cannot read the project in {directory}: {ended.last_words}",
                hint="`docker compose config` in that folder shows the same.",
            )
        learn_rendering(self.mask, ended.output)
        return ended.output

    def read_hashes(
        self, directory: Path, variables: Mapping[str, str], *, file: Path | None = None, name: str | None = None
    ) -> dict[str, str]:
        """Service → hash that Compose would label its container with; empty where Compose cannot say.

        ``file`` None reads the folder's own files.
        """
        ended = self._quick(hash_command(directory, file, name), directory, variables)
        pairs = (line.split() for line in ended.output.splitlines())
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}  # noqa: PLR2004 - service and hash

    def run(
        self,
        argv: Sequence[str],
        directory: Path,
        *,
        variables: Mapping[str, str] | None = None,
        deadline: Deadline,
    ) -> None:
        """Let Compose change something.

        Raises:
            PlatformError: ``compose.failed`` with its last words, ``engine.unreachable``, ``engine.no_compose``.
        """
        with (
            self._compose(argv, directory, variables or {}) as process,
            deadline.guarding(lambda: _end(process)),
        ):
            ended = self._collect(process, None)
        if ended.exit_code != 0:
            raise explain_compose_failure(ended)

    def run_command(
        self,
        argv: Sequence[str],
        directory: Path,
        *,
        variables: Mapping[str, str],
        log: Path,
        deadline: Deadline,
    ) -> int:
        """Run the operator's own command, all that it says in ``log`` (0600); 128+n when signal n ended it.

        Raises:
            CommandError: ``command.not_started``.
        """
        try:
            with (
                os.fdopen(_open_private(log), "wb") as stream,
                self._started(argv, directory, variables, stream, subprocess.STDOUT) as process,
                deadline.guarding(lambda: _end(process)),
            ):
                exit_code = process.wait()
        except OSError as error:
            raise CommandError(
                "command.not_started",
                f"The command {argv[0]} cannot be started: {error.strerror}.",
                hint=f"Look at its path, whether it is executable, and whether there is room for {log}.",
            ) from error
        finally:
            self._mask_log(log)
        return exit_code if exit_code >= 0 else 128 - exit_code

    # Only when it is over: through a pipe of ours, what the command leaves behind would keep us waiting. Without room
    # for it, the log stays as it is: it is private, and what leaves this host is masked once more.
    def _mask_log(self, log: Path) -> None:
        masked = log.with_suffix(".masked")
        with suppress(OSError), log.open("rb") as said, os.fdopen(_open_private(masked), "wb") as kept:
            kept.writelines(self.mask.stream(iter(lambda: said.read(_CHUNK_BYTES), b"")))
            masked.replace(log)

    @contextmanager
    def _compose(
        self, argv: Sequence[str], directory: Path, variables: Mapping[str, str]
    ) -> Iterator[subprocess.Popen[bytes]]:
        try:
            with self._started(argv, directory, variables, subprocess.PIPE, subprocess.PIPE) as process:
                yield process
        except FileNotFoundError as error:
            raise explain_no_compose("the command docker was not found") from error

    def _quick(self, argv: Sequence[str], directory: Path, variables: Mapping[str, str] | None = None) -> Ended:
        with self._compose(argv, directory, variables or {}) as process:
            try:
                return self._collect(process, _QUICK_S)
            except subprocess.TimeoutExpired as error:
                raise PlatformError(
                    "compose.failed", f"`docker compose` has not answered for {_QUICK_S:g} s."
                ) from error

    # Masked before anybody cuts it: half a secret is one that nobody would know.
    def _collect(self, process: subprocess.Popen[bytes], timeout_s: float | None) -> Ended:
        output, errors = process.communicate(timeout=timeout_s)
        said = self.mask.text(keep_end(errors.decode(errors="replace"), _SAID_AT_MOST))
        return Ended(process.returncode, output.decode(errors="replace"), said)

    @contextmanager
    def _started(
        self,
        argv: Sequence[str],
        directory: Path,
        variables: Mapping[str, str],
        stdout: int | IO[bytes],
        stderr: int,
    ) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            list(argv),
            cwd=directory,
            env={**self._environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end(process)
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


def _project(directory: Path, file: Path | None, name: str | None) -> list[str]:
    argv = ["docker", "compose"]
    argv += ["--file", str(file)] if file is not None else []
    argv += ["--project-name", name] if name is not None else []
    return [*argv, "--project-directory", str(directory)]


def _open_private(path: Path) -> int:
    return os.open(path, NEW_FILE, 0o600)


# The whole session: what Compose has started would keep its pipes open, and us waiting.
def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
