"""Programs run inside the running container of one Compose service: argv in, bytes out, a real exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import docker
from docker.errors import DockerException
from pydantic import ValidationError

from orchestrator.adapters.docker.container_pipe import ContainerPipe, open_pipe
from orchestrator.adapters.docker.exec_program import Program
from orchestrator.adapters.docker.volumes import MOUNTERS, MOUNTS, Storage, find_sharers, find_volume
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DatabaseError

_EXIT_CODE_WITHIN_S = 10.0
_TRY_WITHIN_S = 60.0
_NOT_ANSWERED = 2  # as `psql` ends when its connection is gone
_ANONYMOUS_LABEL = "com.docker.volume.anonymous"


@dataclass(frozen=True)
class ExecResult:
    """How a program ended. ``errors`` is the end of its stderr; ``output`` is empty where it was streamed."""

    exit_code: int
    output: bytes
    errors: str


class ContainerExec:
    """Finds the container of ``service`` anew for each program, because an engine may have replaced it."""

    def __init__(
        self,
        client_provider: Callable[[], docker.DockerClient],
        project_name_provider: Callable[[], str],
        service: str,
        check_name: Callable[[], None] = lambda: None,
    ) -> None:
        """``check_name`` raises where the project's containers bear another name than the project."""
        self.service = service
        self._check_name = check_name
        self._client = client_provider
        self._project = project_name_provider
        self._timer = SystemClock()

    def allow(self, seconds: float, what: str) -> Deadline:
        """A deadline that no signal ends early, for work that is short or must not stop half-way."""
        return Deadline(self._timer, seconds, what=what)

    def read_environment(self) -> Mapping[str, str]:
        """The variables that the container was created with.

        Raises:
            DatabaseError: ``database.unreachable``: no container runs, or the engine does not answer.
        """
        with _translated(), _readable():
            client = self._client()
            entries = client.api.inspect_container(self._find(client))["Config"].get("Env") or []
            return dict(entry.split("=", 1) for entry in entries if "=" in entry)

    def inspect_storage(self, directory: str) -> Storage:
        """In which volume a directory of the container lies, and who else may write there. Raises as above."""
        with _translated(), _readable():
            client = self._client()
            mounts = MOUNTS.validate_python(client.api.inspect_container(self._find(client))["Mounts"])
            volume = find_volume(mounts, directory)
            if not volume:
                return Storage()
            labels = client.api.inspect_volume(volume).get("Labels") or {}
            mounters = MOUNTERS.validate_python(client.api.containers(all=True, filters={"volume": volume}))
            return Storage(volume, _ANONYMOUS_LABEL in labels, find_sharers(mounters, volume, self._project()))

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        stdin: Iterable[bytes] = (),
        environment: Mapping[str, str] | None = None,
    ) -> ExecResult:
        """Run a program, feed it ``stdin`` and collect what it says.

        Raises:
            DatabaseError: ``database.unreachable``: no container runs, or the engine does not answer.
            DeadlineExceededError, InterruptedByOperatorError: from ``deadline``; the program may still be at
                work inside the container then.
        """
        output = bytearray()
        with _translated():
            program = Program.start(self._client(), self._find, argv, environment or {})
            try:
                with deadline.guarding(program.abandon):
                    errors = program.feed(stdin, output.extend)
                code = program.read_exit_code(self.allow(_EXIT_CODE_WITHIN_S, "The end of a program"))
            finally:
                program.close()
        return ExecResult(code, bytes(output), errors)

    def stream(
        self,
        argv: Sequence[str],
        write: Callable[[bytes], None],
        *,
        deadline: Deadline,
        environment: Mapping[str, str] | None = None,
        pipe: ContainerPipe | None = None,
    ) -> ExecResult:
        """Run a program and pass on its output as it comes. What ``write`` raises is raised; errors as `run`.

        ``pipe``: where it writes to in place of its stdout.
        """
        with _translated():
            program = Program.start(self._client(), self._find, argv, environment or {})
        try:
            with deadline.guarding(program.abandon):
                program.end_input()
                errors = program.receive(write) if pipe is None else program.drain(pipe, write, deadline)
            with _translated():
                code = program.read_exit_code(self.allow(_EXIT_CODE_WITHIN_S, "The end of a program"))
        finally:
            program.close()
        return ExecResult(code, b"", errors)

    @contextmanager
    def piped(self) -> Iterator[ContainerPipe | None]:
        """A pipe for what a program writes much of; None where there can be none and `stream` has to do."""
        with _translated(), _readable():
            client = self._client()
            process = int(client.api.inspect_container(self._find(client))["State"]["Pid"])
        with open_pipe(process, self._try) as pipe:
            yield pipe

    def _try(self, argv: Sequence[str]) -> bool:
        return self.run(argv, deadline=self.allow(_TRY_WITHIN_S, f"{argv[0]} in a container")).exit_code == 0

    def converse(self, argv: Sequence[str], environment: Mapping[str, str]) -> InteractiveExec:
        """Run a program that answers for as long as it is asked; the caller closes it. Errors as `run`."""
        with _translated():
            return InteractiveExec(Program.start(self._client(), self._find, argv, environment), self)

    def _find(self, client: docker.DockerClient) -> str:
        labels = [
            f"com.docker.compose.project={self._project()}",
            f"com.docker.compose.service={self.service}",
            "com.docker.compose.oneoff=False",
        ]
        found = client.api.containers(filters={"label": labels, "status": "running"})
        if not found:
            if not client.api.containers(all=True, filters={"label": labels}):
                self._check_name()
            raise DatabaseError(
                "database.unreachable",
                f"No container of service {self.service!r} is running.",
                impact="The database cannot be looked at or changed.",
                hint=f"Start it with `docker compose up -d {self.service}`; `docker compose ps -a` shows its state.",
            )
        with _readable():
            return str(found[0]["Id"])


class InteractiveExec:
    """A program that is asked more than once."""

    def __init__(self, program: Program, executor: ContainerExec) -> None:
        self._program = program
        self._executor = executor

    def ask(self, question: bytes, end: bytes, deadline: Deadline) -> ExecResult:
        """What it says until it says ``end``, which is left out; its exit code and last words where it ends before.

        Errors as `ContainerExec.run`.
        """
        with _translated():
            with deadline.guarding(self._program.abandon):
                output, errors = self._program.exchange(question, end)
            if output is not None:
                return ExecResult(0, output, "")
            within = self._executor.allow(_EXIT_CODE_WITHIN_S, "The end of a program")
            # One that was ended from outside may have come to its own end.
            return ExecResult(self._program.read_exit_code(within) or _NOT_ANSWERED, b"", errors)

    def close(self) -> None:
        """End it: its input is over. Repeating is harmless."""
        self._program.close()


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (ValidationError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise DatabaseError(
            "database.unreachable",
            f"What the engine says of the container of the database cannot be read ({type(error).__name__}).",
            impact="The database cannot be looked at or changed.",
            hint="Look whether `docker version` shows a release that is supported.",
        ) from error


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DockerException, OSError) as error:
        raise DatabaseError(
            "database.unreachable",
            f"The Docker engine did not let us into the database's container: {error}",
            impact="The database cannot be looked at or changed.",
            hint="Check that the engine runs and that this user may use it: `docker ps`.",
        ) from error
