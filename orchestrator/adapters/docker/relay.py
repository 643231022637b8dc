"""HTTP to a container that this host has no way to: through a program in another container of its network.

The network of a rehearsal has no address of the host, so the host reaches nothing in it either. The engine does: it
runs a program in the container of the scratch database, which hands bytes on and understands none of them.
"""

from __future__ import annotations

import http.client
import io
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

from requests.utils import requote_uri

from orchestrator.adapters.docker.container_exec import ContainerExec
from orchestrator.adapters.http.asked_address import build_headers
from orchestrator.core.errors import DeadlineExceededError
from orchestrator.core.model.workloads import ProbeAnswer

_MAX_BYTES = 64 * 1024
_RELAYED_BYTES = 4 * _MAX_BYTES  # with the headers, and what chunks cost
_NO_TOOL = 127
_TRY_S = 30.0
# Whatever of these an image of a database server has; `timeout` ends it where this side has given up already.
_SCRIPT = f"""
if timeout 1 true 2>/dev/null; then limit="timeout 30"; else limit=; fi
if command -v bash >/dev/null; then
  exec $limit bash -c 'exec 3<>"/dev/tcp/$0/$1" && cat >&3 && exec head -c {_RELAYED_BYTES} <&3' "$1" "$2"
elif command -v nc >/dev/null; then
  $limit nc "$1" "$2" | head -c {_RELAYED_BYTES}
else
  exit {_NO_TOOL}
fi
"""
_LOOK = "command -v bash || command -v nc"


class _Received(Protocol):
    def makefile(self, mode: str, /) -> io.BytesIO: ...


class _Bytes:
    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, mode: str) -> io.BytesIO:
        """As a socket has it."""
        return io.BytesIO(self._received)


class Relay:
    """Asks what listens in the network of the container that ``executor`` reaches into."""

    def __init__(self, executor: ContainerExec) -> None:
        self._executor = executor
        self._usable: bool | None = None

    def is_usable(self) -> bool:
        """Whether that container has a program that hands bytes on. Raises `DatabaseError`."""
        if self._usable is None:
            deadline = self._executor.allow(_TRY_S, "A look into a scratch database server")
            self._usable = self._executor.run(["sh", "-c", _LOOK], deadline=deadline).exit_code == 0
        return self._usable

    def get(self, url: str, address: str, port: int, *, timeout_s: float) -> ProbeAnswer:
        """One GET to a container's address in the name of ``url``, as `Probe.get`. Raises `DatabaseError`."""
        try:
            request = build_request(url)
        except ValueError as problem:
            return ProbeAnswer(status=None, error=str(problem))
        argv = ["sh", "-c", _SCRIPT, "relay", address, str(port)]
        try:
            deadline = self._executor.allow(timeout_s, "An answer of the app")
            outcome = self._executor.run(argv, stdin=[request], deadline=deadline)
        except DeadlineExceededError:
            return ProbeAnswer(status=None, error=f"no full answer within {timeout_s:g} s")
        return read_answer(outcome.output) if outcome.output else ProbeAnswer(status=None, error="no connection")


def build_request(url: str) -> bytes:
    """The bytes of a GET that stands for one to this address.

    Raises:
        ValueError: it is no address of HTTP.
    """
    headers: Mapping[str, str] = {
        **build_headers(url),
        "User-Agent": "upgrade-orchestrator",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    parts = urlsplit(url)
    target = requote_uri(f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}")
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def read_answer(received: bytes) -> ProbeAnswer:
    """What came back; no answer at all where that is not HTTP."""
    socket: _Received = _Bytes(received)
    response = http.client.HTTPResponse(socket)  # type: ignore[arg-type] # of a socket it uses `makefile` alone
    try:
        response.begin()
        body = response.read(_MAX_BYTES)
    except (http.client.HTTPException, ValueError) as problem:
        return ProbeAnswer(status=None, error=f"no usable answer ({type(problem).__name__})")
    return ProbeAnswer(status=response.status, body=body.decode("utf-8", errors="replace"))
