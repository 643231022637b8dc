"""Keep the connections of one question: each address is judged before the connection, all of them end with its time."""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

#: Host and port → the address to connect to; raises where none may be.
Choose = Callable[[str, int], str]

_COOKIES = ("Set-Cookie", "Set-Cookie2")


class Doors:
    """The open connections of a question; `close` ends them from any thread, also where a server keeps it waiting."""

    def __init__(self, choose: Choose | None = None) -> None:
        self._choose = choose
        self._connections: list[HTTPConnection] = []
        self._responses: list[requests.Response] = []

    def find_address(self, connection: HTTPConnection, host: str) -> str:
        """Find the address to connect to for a host; a proxy is the operator's own."""
        self._connections.append(connection)
        return host if self._choose is None or connection.proxy is not None else self._choose(host, connection.port)

    def keep(self, response: requests.Response) -> None:
        """Remember an answer that is being read."""
        self._responses.append(response)

    def close(self) -> None:
        """End every open connection: a thread that reads one wakes up."""
        for connection in self._connections:
            with suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        for response in self._responses:
            with suppress(OSError, ValueError, RuntimeError, AttributeError):
                response.raw.shutdown()


class Adapter(HTTPAdapter):
    """Sends through `Doors`; cookies are dropped before they are parsed."""

    def __init__(self, doors: Doors) -> None:
        self._pools = _build_pools(doors)
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Do as the base does, with connections of ours."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Do as the base does, with connections of ours."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self._pools
        return manager

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Do as the base does, without cookies: parsing long ones takes long."""
        message = getattr(getattr(resp, "_original_response", None), "msg", None)
        if message is not None:
            for name in _COOKIES:
                del message[name]
        return super().build_response(req, resp)


class Session(requests.Session):
    """A session that follows no redirect by itself: the library would read all of its body first."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None, whatever the answer says."""


def _build_pools(doors: Doors) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, doors, super()._new_conn)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, doors, super()._new_conn)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


# The name stays what the certificate is checked for.
def _connect(connection: HTTPConnection, doors: Doors, connect: Callable[[], socket.socket]) -> socket.socket:
    host = connection._dns_host  # noqa: SLF001 - what the library connects to, apart from whom it expects there
    connection._dns_host = doors.find_address(connection, host)  # noqa: SLF001
    try:
        return connect()
    finally:
        connection._dns_host = host  # noqa: SLF001
