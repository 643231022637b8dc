"""Limit the rate of a registry to that of a real line: a proxy before it that lets so many bytes a second through."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

MEGABYTE = 1_000_000

_PIECE = 64 * 1024
_SAVED_S = 0.05


class Bucket:
    """Tokens are bytes: ``rate`` of them come in a second, and no more than ``burst`` are saved up."""

    def __init__(self, rate: float, burst: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._now = now
        self._lock = threading.Lock()
        self._tokens = burst
        self._at = now()

    def take(self, count: int) -> float:
        """Take tokens, on credit where there are too few; for how many seconds the taker has to wait then."""
        with self._lock:
            now = self._now()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - count
            self._at = now
            return max(0.0, -self._tokens / self._rate)


class SlowDoor:
    """Listens on loopback and passes each connection on to ``port``; all answers share ``bytes_per_s``."""

    def __init__(self, port: int, bytes_per_s: float) -> None:
        self._server = _Server(port, Bucket(bytes_per_s, bytes_per_s * _SAVED_S))
        self._thread = threading.Thread(target=self._server.serve_forever, name="slow door", daemon=True)

    @property
    def address(self) -> str:
        """Host and port, the first part of a reference."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False  # the engine keeps connections open for its next question

    def __init__(self, port: int, bucket: Bucket) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.port = port
        self.bucket = bucket


class _Passage(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.port)) as registry:
            questions = threading.Thread(target=_pass_on, args=(self.request, registry, None), daemon=True)
            questions.start()
            _pass_on(registry, self.request, self.server.bucket)


def _pass_on(source: socket.socket, sink: socket.socket, bucket: Bucket | None) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            if bucket is not None:
                time.sleep(bucket.take(len(piece)))
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
