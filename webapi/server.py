"""Serve an app until a signal ends it: waitress, which has no debugger to show."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable

from flask import Flask
from waitress.adjustments import Adjustments  # type: ignore[import-untyped]  # ships no types
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.server import TcpWSGIServer  # type: ignore[import-untyped]

from webapi.memory import give_back_large_blocks

#: Streams take a thread each for as long as somebody looks on; see `webapi.runs`.
THREADS = 24
#: From the first byte of a request to its last, headers and body. Waitress itself only ends silent connections.
REQUEST_S = 10.0
#: How many connections there may be, in all and from one address. Where there are more, the oldest that waits for a
#: request or for the rest of one makes way, so that half requests never keep a whole one out.
CONNECTIONS_MAX = 300
CONNECTIONS_EACH = 100

_LIMITS = {
    "threads": THREADS,
    "ident": "",
    "clear_untrusted_proxy_headers": True,
    "channel_timeout": 60,
    "cleanup_interval": 1,
    "connection_limit": CONNECTIONS_MAX + 50,
    "max_request_header_size": 32 * 1024,
    "max_request_body_size": 64 * 1024,  # nothing that is served here reads a body
    "asyncore_use_poll": True,
}


def serve(app: Flask, host: str, port: int, *, stopping: threading.Event, announce: Callable[[int], None]) -> None:
    """Serve until SIGINT or SIGTERM, then set ``stopping``, finish what is in flight and return.

    ``announce`` is called with the port once it is open; ``port`` 0 takes any that is free.

    Raises:
        OSError: the address cannot be bound.
    """
    give_back_large_blocks()
    listening = _listen(host, port)
    server = build_server(app, listening)

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


def build_server(app: Flask, listening: socket.socket) -> BoundedServer:
    """Build the server on a socket that listens already, not yet running."""
    settings = Adjustments(sockets=[listening], **_LIMITS)
    address = (listening.family, listening.type, listening.proto, listening.getsockname())
    return BoundedServer(app, _sock=listening, adj=settings, sockinfo=address, bind_socket=False)


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows when the request that is still arriving has begun."""

    began_s: float | None = None

    def received(self, data: bytes) -> bool:
        """Take in the next bytes."""
        taken: bool = super().received(data)
        if self.request is None:
            self.began_s = None
        elif self.began_s is None:
            self.began_s = time.monotonic()
        return taken

    @property
    def waits(self) -> bool:
        """Tell whether it is the client's turn: no request is answered, and no answer is on its way."""
        return not self.requests and not self.total_outbufs_len


class BoundedServer(TcpWSGIServer):  # type: ignore[misc]
    """Waitress with a time for each request and a number of connections for each address."""

    channel_class = _Channel

    def maintenance(self, now: float) -> None:
        """End connections that are silent for too long, and requests that take too long to arrive; once a second."""
        super().maintenance(now)
        late_s = time.monotonic() - REQUEST_S
        for channel in self.active_channels.values():
            if channel.began_s is not None and channel.began_s < late_s and channel.waits:
                channel.will_close = True

    def handle_accept(self) -> None:
        """Accept a connection, and let the oldest that waits make way where there are too many."""
        super().handle_accept()
        channels = list(self.active_channels.values())  # in the order in which they were opened
        if not channels:
            return
        newest = channels[-1]
        own = [channel for channel in channels if channel.addr[0] == newest.addr[0]]
        for group, most in ((own, CONNECTIONS_EACH), (channels, CONNECTIONS_MAX)):
            oldest = next((channel for channel in group if channel.waits and channel is not newest), None)
            if len(group) > most and oldest is not None:
                oldest.handle_close()
                return


def _listen(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address[:2], family=family)
