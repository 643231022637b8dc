"""Programs run inside the running container of one Compose service: argv in, bytes out, a real exit code."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

import docker
from docker.errors import DockerException

from orchestrator.adapters.storage import MOUNTERS, MOUNTS, Storage, find_sharers, find_volume
from orchestrator.adapters.system_clock import SystemClock
from orchestrator.deadline import Deadline
from orchestrator.errors import DatabaseError, InvariantError

_ERRORS_KEPT_BYTES = 64 * 1024
_EXIT_CODE_WITHIN_S = 10.0
_FRAME_HEADER = struct.Struct(">B3xL")
_ANONYMOUS_LABEL = "com.docker.volume.anonymous"
_STDOUT = 1
_STDERR = 2


@dataclass(frozen=True)
class Outcome:
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
    ) -> None:
        self.service = service
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
        with _translated():
            client = self._client()
            entries = client.api.inspect_container(self._find(client))["Config"].get("Env") or []
        return dict(entry.split("=", 1) for entry in entries if "=" in entry)

    def inspect_storage(self, directory: str) -> Storage:
        """In which volume a directory of the container lies, and who else may write there. Raises as above."""
        with _translated():
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
    ) -> Outcome:
        """Run a program, feed it ``stdin`` and collect what it says.

        Raises:
            DatabaseError: ``database.unreachable``: no container runs, or the engine does not answer.
            DeadlineExceededError, InterruptedByOperatorError: from ``deadline``; the program may still be at
                work inside the container then.
        """
        output = bytearray()
        with _translated():
            program = _Program.start(self._client(), self._find, argv, environment or {})
            try:
                with deadline.guarding(program.abandon):
                    errors = program.feed(stdin, output.extend)
                code = program.read_exit_code(self.allow(_EXIT_CODE_WITHIN_S, "The end of a program"))
            finally:
                program.close()
        return Outcome(code, bytes(output), errors)

    def stream(
        self,
        argv: Sequence[str],
        write: Callable[[bytes], None],
        *,
        deadline: Deadline,
        environment: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run a program and pass on its output as it comes. What ``write`` raises is raised; errors as `run`."""
        with _translated():
            program = _Program.start(self._client(), self._find, argv, environment or {})
        try:
            with deadline.guarding(program.abandon):
                program.end_input()
                errors = program.receive(write)
            with _translated():
                code = program.read_exit_code(self.allow(_EXIT_CODE_WITHIN_S, "The end of a program"))
        finally:
            program.close()
        return Outcome(code, b"", errors)

    def _find(self, client: docker.DockerClient) -> str:
        labels = [
            f"com.docker.compose.project={self._project()}",
            f"com.docker.compose.service={self.service}",
            "com.docker.compose.oneoff=False",
        ]
        found = client.api.containers(filters={"label": labels, "status": "running"})
        if not found:
            raise DatabaseError(
                "database.unreachable",
                f"No container of service {self.service!r} is running.",
                meaning="The database cannot be looked at or changed.",
                hint=f"Start it with `docker compose up -d {self.service}`; `docker compose ps -a` shows its state.",
            )
        return str(found[0]["Id"])


class _Body(Protocol):
    fp: BinaryIO


class _Raw(Protocol):
    _fp: _Body


class _Response(Protocol):
    raw: _Raw

    def close(self) -> None: ...


class _Hijacked(Protocol):
    """What the SDK hands out for a connection over a Unix socket or TCP."""

    _response: _Response
    _sock: socket.socket


class _Program:
    """One exec and its connection, on which input and output travel."""

    def __init__(self, client: docker.DockerClient, exec_id: str) -> None:
        self._client = client
        self._id = exec_id
        raw = cast("_Hijacked", client.api.exec_start(exec_id, socket=True))
        self._response = raw._response  # noqa: SLF001  the SDK offers no other way to what it has opened
        # The SDK reads past this buffer, and loses what arrived in one packet with the head of the answer.
        self._reader = raw._response.raw._fp.fp  # noqa: SLF001
        self._socket = raw._sock  # noqa: SLF001
        self._socket.settimeout(None)  # a long statement is silent for minutes; the deadline ends it

    @classmethod
    def start(
        cls,
        client: docker.DockerClient,
        find: Callable[[docker.DockerClient], str],
        argv: Sequence[str],
        environment: Mapping[str, str],
    ) -> _Program:
        created = client.api.exec_create(find(client), list(argv), stdin=True, environment=dict(environment))
        return cls(client, str(created["Id"]))

    def feed(self, chunks: Iterable[bytes], write: Callable[[bytes], None]) -> str:
        """Send all chunks while another thread listens, so that neither side can block the other."""
        with ThreadPoolExecutor(max_workers=1) as listener:
            errors = listener.submit(self.receive, write)
            try:
                self._send(chunks)
            except BaseException:
                self.abandon()
                raise
            return errors.result()

    def receive(self, write: Callable[[bytes], None]) -> str:
        errors = b""
        for stream, payload in self._frames():
            if stream == _STDOUT:
                write(payload)
            elif stream == _STDERR:
                errors = (errors + payload)[-_ERRORS_KEPT_BYTES:]
        return errors.decode("utf-8", "replace").strip()

    def end_input(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it is over already; its exit code tells

    def read_exit_code(self, deadline: Deadline) -> int:
        """The engine's verdict, which may come a moment after the end of the output."""
        return deadline.poll(self._find_exit_code, every_s=0.02)

    def abandon(self) -> None:
        """Make a blocked call return. The program itself goes on."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def close(self) -> None:
        self.abandon()
        self._socket.close()
        self._response.close()

    def _find_exit_code(self) -> int | None:
        code = self._client.api.exec_inspect(self._id)["ExitCode"]
        return None if code is None else int(code)

    # A program that ends early closes the connection under us: why it did is in its stderr.
    def _send(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            try:
                self._socket.sendall(chunk)
            except OSError:
                return
        self.end_input()

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        while header := self._read(_FRAME_HEADER.size):
            stream, size = _FRAME_HEADER.unpack(header)
            if stream > _STDERR:
                raise InvariantError("internal.exec_stream", "The engine's exec stream is not framed as documented.")
            payload = self._read(size)
            yield stream, payload

    # A connection that is cut in a frame ends like one that is cut between frames: the exit code decides.
    def _read(self, size: int) -> bytes:
        try:
            found = self._reader.read(size)
        except (OSError, ValueError):
            return b""
        return found if len(found) == size else b""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DockerException, OSError) as error:
        raise DatabaseError(
            "database.unreachable",
            f"The Docker engine did not let us into the database's container: {error}",
            meaning="The database cannot be looked at or changed.",
            hint="Check that the engine runs and that this user may use it: `docker ps`.",
        ) from error
