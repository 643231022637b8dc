"""Serves the application and leaves in good order on SIGTERM and SIGINT, also as process 1 of a container."""

import logging
import signal
import threading
import time
from typing import Any

from flask import Flask
from waitress import create_server, wasyncore  # type: ignore[import-untyped]  # ships no types

DRAIN_S = 0.7
"""How long requests in flight may take after the signal, in seconds."""
THREADS_END_S = 0.1
THREADS = 8

_log = logging.getLogger("ledger")


def serve(app: Flask, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; then accept nothing new, finish what is in flight, and return."""
    stop = threading.Event()
    sockets: dict[int, Any] = {}
    server = create_server(app, map=sockets, host=host, port=port, threads=THREADS)

    def ask_to_stop(_number: int, _frame: object) -> None:
        stop.set()
        server.pull_trigger()  # wakes the loop, which an ordinary signal handler does not

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    _log.info("serving on port %s", port)
    while not stop.is_set():
        wasyncore.loop(timeout=1, map=sockets, count=1)
    _drain(server, sockets)
    _log.info("stopped")


# waitress itself ends its loop at once, and the answers of requests in flight would never leave.
def _drain(server: Any, sockets: dict[int, Any]) -> None:
    server.del_channel(sockets)
    server.socket.close()
    deadline = time.monotonic() + DRAIN_S
    while _in_flight(server) and time.monotonic() < deadline:
        wasyncore.loop(timeout=0.05, map=sockets, count=1)
    server.task_dispatcher.shutdown(cancel_pending=True, timeout=THREADS_END_S)


def _in_flight(server: Any) -> bool:
    channels = list(server.active_channels.values())
    return any(channel.requests or channel.request or channel.total_outbufs_len for channel in channels)
