"""Limits of one client of `orchestrator serve`: connections, threads and time."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from flask import Flask

import webapi.server
from webapi.server import CONNECTIONS_EACH, BoundedServer, build_server

pytestmark = pytest.mark.slow

HALF = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
LOOPBACK = "127.0.0.1"


@pytest.fixture
def server() -> Iterator[BoundedServer]:
    app = Flask("bounded", static_folder=None)
    app.add_url_rule("/api/health", "health", lambda: {"status": "ok"})
    listening = socket.create_server((LOOPBACK, 0))
    server = build_server(app, listening)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield server
    server.task_dispatcher.shutdown(timeout=2)
    server.close()


def _connect(server: BoundedServer) -> socket.socket:
    return socket.create_connection((LOOPBACK, int(server.effective_port)), timeout=10)


def _ask(server: BoundedServer) -> int:
    connection = http.client.HTTPConnection(LOOPBACK, int(server.effective_port), timeout=10)
    try:
        connection.request("GET", "/api/health")
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_whole_request_is_answered_beside_more_half_requests_than_there_are_places(server: BoundedServer) -> None:
    with ExitStack() as held:
        half = [held.enter_context(_connect(server)) for _ in range(CONNECTIONS_EACH + 30)]
        for connection in half:
            connection.sendall(HALF)
        assert [_ask(server) for _ in range(5)] == [200] * 5
        assert _is_ended(half[0]), "the oldest half request has not made way"


def _is_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_a_request_that_takes_too_long_to_arrive_is_ended_though_it_never_falls_silent(
    server: BoundedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webapi.server, "REQUEST_S", 0.5)
    with _connect(server) as slow:
        slow.sendall(HALF)
        slow.settimeout(0.1)
        assert _drip_until_ended(slow)
    assert _ask(server) == 200


def _drip_until_ended(slow: socket.socket) -> bool:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            slow.sendall(b"a")
            if _is_ended(slow):
                return True
        except TimeoutError:
            continue
        except ConnectionError:
            return True
    return False


def test_a_body_that_is_larger_than_anything_asks_for_is_refused(server: BoundedServer) -> None:
    with _connect(server) as sender:
        sender.sendall(b"POST /api/health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n")
        assert sender.recv(64).startswith(b"HTTP/1.1 413 ")


def test_a_connection_that_is_kept_alive_may_rest_between_its_requests(
    server: BoundedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webapi.server, "REQUEST_S", 0.2)
    connection = http.client.HTTPConnection(LOOPBACK, int(server.effective_port), timeout=10)
    for pause_s in (0.0, 2.2):
        time.sleep(pause_s)
        connection.request("GET", "/api/health")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b'{"status":"ok"}\n')
    connection.close()
