"""One-off containers of a project: started by Compose, judged by the engine, touched only if a run's own."""

import os
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path

from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.models import RUN_LABEL, ContainerDocument
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import PlatformError
from orchestrator.core.files import NEW_FILE
from orchestrator.core.model.workloads import JobStatus
from orchestrator.redaction.redactor import Redactor
from orchestrator.redaction.terminal_text import keep_end

TAIL_LINES = 50
TAIL_BYTES = 16 * 1024
LINE_BYTES = 1024

_POLL_S = 0.25


class Jobs:
    """The containers of jobs on an engine; a container without a run's label is refused.

    ``mask`` takes out of what they say the secrets that it knows.
    """

    def __init__(self, engine: DockerEngine, mask: Redactor | None = None) -> None:
        self._engine = engine
        self._mask = mask or Redactor()

    def inspect(self, name: str) -> JobStatus | None:
        """The engine's verdict; a container that was made but never started is over without an exit code."""
        container = self._engine.find_container(name)
        if container is None:
            return None
        over = not container.up
        exit_code = container.state.exit_code if over and container.started else None
        said = "" if over else self._listen(name)
        return JobStatus(name=name, running=container.up, exit_code=exit_code, said=said)

    def wait(self, name: str, deadline: Deadline, tell: Callable[[str], None]) -> JobStatus:
        """Wait until it is over; an engine that is away for a while is asked again. ``tell`` hears what it says.

        Raises:
            PlatformError: ``job.missing``.
        """
        return deadline.poll(lambda: self._await_verdict(name, deadline, tell), every_s=_POLL_S)

    def stop(self, name: str) -> None:
        """Grace period, then kill."""
        container = self._find_own(name)
        if container is not None and container.up:
            self._engine.end_container(container)

    def end_all(self, run_id: str) -> None:
        """Grace period, then kill, for each container of a run that is up."""
        for container in self._engine.find_containers({RUN_LABEL: run_id}):
            if container.up:
                self._engine.end_container(container)

    def save_log(self, name: str, path: Path) -> str:
        """All that it said, 0600; the last `TAIL_LINES` lines, `TAIL_BYTES` at most.

        A full disk is no verdict on the job: the lines are given then, and as much of the log as there is room for.
        Nor is a log that the engine cannot read: then one line says so.
        """
        self._find_own(name)
        try:
            with suppress(OSError):
                self._write_log(name, path)
            with closing(self._engine.read_log(name, lines=TAIL_LINES)) as chunks:
                return keep_tail(self._mask.stream(chunks)).decode(errors="replace").rstrip("\n")
        except PlatformError as error:
            if error.code != "engine.refused" or self._engine.find_container(name) is None:
                raise
            return f"(what it said cannot be read: {error.summary})"

    def remove(self, name: str) -> None:
        """Remove the container with its anonymous volumes."""
        if self._find_own(name) is not None:
            self._engine.remove_container(name)

    def _write_log(self, name: str, path: Path) -> None:
        descriptor = os.open(path, NEW_FILE, 0o600)
        with os.fdopen(descriptor, "wb") as stream, closing(self._engine.read_log(name)) as chunks:
            for chunk in self._mask.stream(chunks):
                stream.write(chunk)

    # For a person who waits: what cannot be heard is no verdict on the job.
    def _listen(self, name: str) -> str:
        with suppress(PlatformError):
            said = self._mask.text(self._engine.read_last_line(name).decode(errors="replace"))
            return keep_end(said.strip(), LINE_BYTES)
        return ""

    # Told by the engine as soon as it is over; what the engine cannot tell is looked for.
    def _await_verdict(self, name: str, deadline: Deadline, tell: Callable[[str], None]) -> JobStatus | None:
        status = self._find_verdict(name, tell)
        if status is not None:
            return status
        with suppress(PlatformError):
            self._engine.await_end(name, deadline)
        return self._find_verdict(name, tell)

    def _find_verdict(self, name: str, tell: Callable[[str], None]) -> JobStatus | None:
        try:
            status = self.inspect(name)
        except PlatformError as error:
            if error.code == "engine.unreachable":
                return None
            raise
        if status is None:
            raise PlatformError(
                "job.missing",
                f"The container {name} is gone; how it ended is not known.",
                impact="It may have done all of its work, a part of it, or none.",
            )
        if status.said:
            tell(status.said)
        return None if status.running else status

    def _find_own(self, name: str) -> ContainerDocument | None:
        container = self._engine.find_container(name)
        if container is not None and RUN_LABEL not in container.labels:
            raise PlatformError("job.foreign", f"The container {name} was not started by an upgrade; it is left alone.")
        return container


def keep_tail(chunks: Iterable[bytes]) -> bytes:
    """The last `TAIL_BYTES` of a log that may have no end of a line at all."""
    kept = b""
    for chunk in chunks:
        kept = (kept + chunk)[-TAIL_BYTES:]
    return kept
