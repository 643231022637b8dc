"""A server on loopback that sends all it may: in size, in number, in compression, and without an end."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = 4 * 1024 * 1024 - 64
_ENDLESS = 4 * 1024 * 1024 * 1024
_CHUNK = b" " * (256 * 1024)


class Flood(BaseHTTPRequestHandler):
    """Answers each page with what the test chose, and a next page for ever."""

    server: Server

    def do_GET(self) -> None:
        with suppress(OSError):
            self.server.answer(self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def send(self, body: bytes, **headers: str) -> None:
        """A page with a next one."""
        number = self.server.count()
        base = self.path.partition("?")[0]
        self.start(200, Link=f'<{base}?page={number}>; rel="next"', Content_Length=str(len(body)), **headers)
        self.wfile.write(body)

    def start(self, status: int, **headers: str) -> None:
        """The head of an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def pour(self, status: int, **headers: str) -> None:
        """An answer that has no end."""
        self.start(status, Content_Length=str(_ENDLESS), **headers)
        while True:
            self.wfile.write(_CHUNK)


Answer = Callable[[Flood], None]


class Server(ThreadingHTTPServer):
    """One that counts its pages."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Flood)
        self.answer = answer
        self.pages = 0

    def count(self) -> int:
        """One more page."""
        self.pages += 1
        return self.pages


@contextmanager
def flooding(answer: Answer) -> Iterator[Server]:
    """A server that answers so, until the end."""
    server = Server(answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def _fill(open_with: bytes, piece: bytes, close_with: bytes, size: int = BODY) -> bytes:
    return open_with + piece * ((size - len(open_with) - len(close_with) - 8) // len(piece)) + piece[:-1] + close_with


def list_notes(text: str) -> bytes:
    # As raw characters: one that needs four bytes makes four of every other one in memory.
    many = [{"tag_name": f"v1.{number}.0", "body": text} for number in range(100)]
    return json.dumps(many, ensure_ascii=False).encode()


NOTES = list_notes("x" * 38_000 + "\U0001f600")
FLOODS: dict[str, Answer] = {
    "small values": lambda flood: flood.send(_fill(b"[", b"{},", b"]")),
    "small lists": lambda flood: flood.send(_fill(b"[", b"[],", b"]")),
    "keys": lambda flood: flood.send(b"[{" + b",".join(b'"%06x":0' % n for n in range(199_000)) + b"}]"),
    "releases": lambda flood: flood.send(_fill(b"[", b'{"tag_name":"v1.0.0"},', b"]")),
    "notes": lambda flood: flood.send(NOTES),
    "one note": lambda flood: flood.send(json.dumps([{"tag_name": "v2.0.0", "body": "y" * (BODY - 99)}]).encode()),
    "spaces": lambda flood: flood.send(b"[" + b" " * (BODY - 2) + b"]"),
    "bomb": lambda flood: flood.send(gzip.compress(b" " * 64 * 1024 * 1024, 1), Content_Encoding="gzip"),
    "bombs in bombs": lambda flood: flood.send(
        gzip.compress(gzip.compress(b" " * 64 * 1024 * 1024, 1), 1), Content_Encoding="gzip, gzip"
    ),
    "endless": lambda flood: flood.pour(200),
    "endless redirect": lambda flood: flood.pour(302, Location="/again"),
    "endless failure": lambda flood: flood.pour(503),
    "endless refusal": lambda flood: flood.pour(403),
    "long headers": lambda flood: flood.start(200, **{f"X_{n}": "y" * 65_000 for n in range(90)}),
    "cookies": lambda flood: flood.start(200, Set_Cookie="a=" + "; expires=" * 6000),
    "a long link": lambda flood: flood.start(200, Link=", <" * 20_000),
    "tags": lambda flood: flood.send(_fill(b'{"tags":[', b'"v1.0.0",', b"]}")),
    "a page of tags": lambda flood: flood.send(_fill(b'{"tags":[', b'"v1.0.0-alpha.beta.1234567890",', b"]}", 30_000)),
}
