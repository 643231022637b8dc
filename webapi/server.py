"""Serves an app until a signal ends it: waitress, which has no debugger to show."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable

from flask import Flask
from waitress import create_server  # type: ignore[import-untyped]  # ships no types

#: Streams take a thread each for as long as somebody looks on; see `webapi.live`.
THREADS = 24


def serve(app: Flask, host: str, port: int, *, stopping: threading.Event, announce: Callable[[int], None]) -> None:
    """Serve until SIGINT or SIGTERM, then set ``stopping``, finish what is in flight and return.

    ``announce`` is called with the port once it is open; ``port`` 0 takes any that is free.

    Raises:
        OSError: the address cannot be bound.
    """
    listening = _listen(host, port)
    server = create_server(
        app, sockets=[listening], threads=THREADS, ident="", clear_untrusted_proxy_headers=True, channel_timeout=60
    )

    def leave(_number: int, _frame: object) -> None:
        stopping.set()
        raise SystemExit

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        announce(listening.getsockname()[1])
        server.run()  # takes SystemExit as the wish to shut down, and returns
    finally:
        server.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address[:2], family=family)
