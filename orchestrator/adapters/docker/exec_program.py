"""A program that the engine runs inside a container, and the connection on which its input and output travel."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import BinaryIO, Protocol, cast

import docker

from orchestrator.adapters.docker.container_pipe import ContainerPipe
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import InvariantError

_ERRORS_KEPT_BYTES = 64 * 1024
_FRAME_HEADER = struct.Struct(">B3xL")
_STDOUT = 1
_STDERR = 2


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


class Program:
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
    ) -> Program:
        """Begin it in the container that ``find`` names."""
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

    def drain(self, pipe: ContainerPipe, write: Callable[[bytes], None], deadline: Deadline) -> str:
        """Pass on what the program writes into ``pipe`` while another thread waits for its end."""
        with ThreadPoolExecutor(max_workers=1) as listener:
            errors = listener.submit(self._listen_beside, pipe)
            try:
                pipe.receive(write, deadline)
            except BaseException:
                self.abandon()
                raise
            return errors.result()

    def receive(self, write: Callable[[bytes], None]) -> str:
        """Pass on what comes on stdout; the end of what came on stderr."""
        errors = b""
        for stream, payload in self._frames():
            if stream == _STDOUT:
                write(payload)
            elif stream == _STDERR:
                errors = (errors + payload)[-_ERRORS_KEPT_BYTES:]
        return _tell(errors)

    def exchange(self, question: bytes, end: bytes) -> tuple[bytes | None, str]:
        """What it says up to ``end``, None where it is over before; then what it said of errors."""
        with suppress(OSError):  # it is over already; its exit code tells
            self._socket.sendall(question)
        output, errors = bytearray(), b""
        for stream, payload in self._frames():
            if stream == _STDERR:
                errors = (errors + payload)[-_ERRORS_KEPT_BYTES:]
                continue
            output += payload
            if output.endswith(end):
                return bytes(output[: -len(end)]), ""
        return None, _tell(errors)

    def end_input(self) -> None:
        """Let the program know that nothing more comes."""
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
        """Give the connection back."""
        self.abandon()
        self._socket.close()
        self._response.close()

    def _find_exit_code(self) -> int | None:
        code = self._client.api.exec_inspect(self._id)["ExitCode"]
        return None if code is None else int(code)

    def _listen_beside(self, pipe: ContainerPipe) -> str:
        try:
            return self.receive(lambda _: None)
        finally:
            pipe.end()

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


# Of what was cut, from the beginning of a line: half a secret is one that no mask would know.
def _tell(errors: bytes) -> str:
    whole = errors if len(errors) < _ERRORS_KEPT_BYTES else errors.partition(b"\n")[2]
    return whole.decode("utf-8", "replace").strip()
