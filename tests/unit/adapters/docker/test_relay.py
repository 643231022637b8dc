"""HTTP through a program in a container: what is sent, and what is made of the bytes that come back."""

import pytest

from orchestrator.adapters.docker.relay import build_request, read_answer
from orchestrator.core.model.workloads import ProbeAnswer


def test_request_names_path_query_and_host_and_no_login() -> None:
    lines = build_request("https://ana:secret@shop.example/up?deep=1#part").decode().split("\r\n")
    assert lines[0] == "GET /up?deep=1 HTTP/1.1"
    assert {"Host: shop.example", "X-Forwarded-Proto: https", "Connection: close"} <= set(lines)
    assert not any("secret" in line or "part" in line for line in lines)
    assert lines[-2:] == ["", ""]


def test_request_without_a_path_asks_for_the_root() -> None:
    assert build_request("http://shop.example:81").startswith(b"GET / HTTP/1.1\r\nHost: shop.example:81\r\n")


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("http://shop.example/a b\r\nX: y", b"GET /a%20bX:%20y HTTP/1.1"),
        ("http://shop.example/\x00", b"GET /%00 HTTP/1.1"),
        ("http://shop.example/\u00e4?%41", b"GET /%C3%A4?A HTTP/1.1"),
    ],
)
def test_request_is_one_line_whatever_is_in_the_path(url: str, line: bytes) -> None:
    assert build_request(url).split(b"\r\n")[0] == line


@pytest.mark.parametrize(
    ("received", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore", ProbeAnswer(status=200, body="ok")),
        (b"HTTP/1.0 503 No\r\n\r\nill", ProbeAnswer(status=503, body="ill")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n",
            ProbeAnswer(status=200, body="ok!"),
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ProbeAnswer(status=204)),
        (b"HTTP/1.1 200 OK\r\n\r\n\xff", ProbeAnswer(status=200, body="\ufffd")),
        (b"SSH-2.0-x\r\n", ProbeAnswer(status=None, error="no usable answer (BadStatusLine)")),
        (b"", ProbeAnswer(status=None, error="no usable answer (RemoteDisconnected)")),
    ],
)
def test_answer_is_read_as_http(received: bytes, answer: ProbeAnswer) -> None:
    assert read_answer(received) == answer


def test_answer_that_is_long_is_cut() -> None:
    assert len(read_answer(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000).body) == 65536
