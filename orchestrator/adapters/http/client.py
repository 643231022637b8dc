"""Speak HTTP: bounded in time, size and depth, and never led to another host.

Answers are untrusted; no error contains any part of them, nor of what we sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urljoin

import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from orchestrator.adapters.host.blocking import run_aside
from orchestrator.adapters.http.addresses import is_loopback, is_same_origin
from orchestrator.adapters.http.budget import DEFAULT_LIMITS, Budget, Limits, SpentError
from orchestrator.adapters.http.connections import Adapter, Choose, Doors, Session
from orchestrator.adapters.http.errors import require_success, unreachable, untrusted_response
from orchestrator.adapters.http.json_reader import DocumentError, read_json
from orchestrator.adapters.http.rate_limit import read_pause_s
from orchestrator.core.errors import InvariantError

__all__ = ["DEFAULT_LIMITS", "Limits"]

T = TypeVar("T")

_CHUNK_BYTES = 64 * 1024
_MAX_REDIRECTS = 3
_MAX_ADDRESS = 4096
_OUT_OF_ORDER = frozenset({500, 502, 503, 504})
_PAUSE_AT_MOST_S = 10.0


@dataclass(frozen=True)
class Answer:
    """Answer of a server; ``url`` is its address after redirects."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    next_url: str | None = None


@dataclass(frozen=True)
class Document:
    """Parsed JSON, of any shape, and the address of its next page."""

    content: object
    next_url: str | None


class _NoCredentials(requests.auth.AuthBase):
    """Keeps requests from taking a login out of ``~/.netrc``, which would replace ours."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class Line:
    """A session with one server for one question. ``choose`` judges the addresses that it may connect to."""

    def __init__(self, url: str, budget: Budget, choose: Choose | None = None) -> None:
        self.budget = budget
        self.doors = Doors(choose)
        self.session = new_session(url, self.doors)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()


def fetch_json(line: Line, url: str, headers: Mapping[str, str]) -> Document:
    """GET a JSON document.

    Raises:
        ReleaseError: ``releases.unreachable``, ``releases.rate_limited``, ``releases.denied``,
            ``releases.not_found``, ``releases.hostile`` (too large, not JSON, or led to another host).
    """
    return read_document(fetch(line, url, headers), line.budget.limits)


def fetch(line: Line, url: str, headers: Mapping[str, str]) -> Answer:
    """GET with any status; redirects are followed on the same host only. All of it counts for the question.

    Raises:
        ReleaseError: ``releases.unreachable``, ``releases.hostile``.
    """
    budget = line.budget
    try:
        return run_bounded(lambda: _follow(line, url, headers), budget.left_s, line.doors.close)
    except SpentError as cause:
        raise (untrusted_response if budget.left_s else unreachable)(url, str(cause)) from cause
    except TimeoutError as cause:
        raise unreachable(url, f"did not answer in full within {budget.limits.total_s:g} s") from cause
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as cause:
        raise unreachable(url, f"could not be read ({type(cause).__name__})") from cause


def read_document(answer: Answer, limits: Limits = DEFAULT_LIMITS) -> Document:
    """Parse the JSON of an answer. Raises `ReleaseError` as `fetch_json`."""
    require_success(answer.url, answer.status, answer.headers)
    try:
        return Document(read_json(answer.body, values=limits.values, depth=limits.depth), answer.next_url)
    except DocumentError as cause:
        raise untrusted_response(answer.url, f"sent something that {cause}") from cause


def new_session(url: str, doors: Doors | None = None) -> requests.Session:
    """Make a session for one server: no login of its own, no cookies, no proxy to reach loopback."""
    session = Session()
    session.trust_env = not is_loopback(url)
    session.auth = _NoCredentials()
    session.headers["User-Agent"] = "upgrade-orchestrator"
    session.headers["Accept-Encoding"] = "gzip"
    adapter = Adapter(doors or Doors())
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter)
    return session


def run_bounded(call: Callable[[], T], seconds: float, cancel: Callable[[], None] = lambda: None) -> T:
    """Run a blocking call that cannot bound itself (name resolution, a header sent a byte a second).

    Raises:
        TimeoutError: it was not over in time; it is cancelled, and left to end on a daemon thread.
    """
    try:
        return run_aside(call).result(timeout=seconds)
    except TimeoutError:
        cancel()
        raise


def read_body(response: requests.Response, limit_bytes: int, ends_at: float) -> bytes:
    """Read at most ``limit_bytes`` of the body, decompressed, until ``ends_at`` of the monotonic clock.

    Raises:
        TimeoutError: that time is over.
    """
    body = bytearray()
    while len(body) < limit_bytes:
        chunk = response.raw.read1(min(_CHUNK_BYTES, limit_bytes - len(body)), decode_content=True)
        if not chunk:
            break
        body += chunk
        if time.monotonic() > ends_at:
            raise TimeoutError
    return bytes(body)


def _follow(line: Line, url: str, headers: Mapping[str, str]) -> Answer:
    for _ in range(_MAX_REDIRECTS + 1):
        answer, target = _insist(line, url, headers)
        if target is None:
            return answer
        if not is_same_origin(url, target):
            raise untrusted_response(url, "redirects to another host")
        url = target
    raise untrusted_response(url, f"redirects more than {_MAX_REDIRECTS} times")


# A few quick ones: a server that is restarted answers again in a moment.
def _insist(line: Line, url: str, headers: Mapping[str, str]) -> tuple[Answer, str | None]:
    for attempt in range(line.budget.limits.retries + 1):
        last = attempt == line.budget.limits.retries
        pause_s = 0.2 * 2.0**attempt
        try:
            answer, target = _request(line, url, headers)
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError):
            if last:
                raise
        else:
            pause_s = read_pause_s(answer.headers, pause_s)
            if last or answer.status not in _OUT_OF_ORDER or pause_s > min(_PAUSE_AT_MOST_S, line.budget.left_s):
                return answer, target
        line.budget.pause(pause_s)
    raise InvariantError("internal.retries", "The last attempt has neither returned nor raised.")


def _request(line: Line, url: str, headers: Mapping[str, str]) -> tuple[Answer, str | None]:
    limits, budget = line.budget.limits, line.budget
    budget.take_request()
    timeout = (limits.connect_s, limits.read_s)
    with line.session.get(url, headers=dict(headers), timeout=timeout, stream=True, allow_redirects=False) as response:
        line.doors.keep(response)
        target = response.headers["Location"] if response.is_redirect else None
        # An answer without a document has no body to read.
        wanted = target is None and response.status_code == requests.codes.ok
        body = read_body(response, budget.next_body_bytes + 1, budget.ends_at) if wanted else b""
        budget.take_bytes(len(body))
        answer = Answer(
            url=url,
            status=response.status_code,
            headers=CaseInsensitiveDict(response.headers),
            body=body,
            next_url=_join(url, _read_next(response)),
        )
        return answer, _join(url, target)


def _read_next(response: requests.Response) -> str | None:
    link = response.headers.get("Link", "")
    found = response.links.get("next", {}).get("url") if len(link) <= _MAX_ADDRESS else None
    return found or None


def _join(url: str, target: str | None) -> str | None:
    if target is None:
        return None
    if len(target) > _MAX_ADDRESS:
        raise untrusted_response(url, "names an address that is longer than any")
    return urljoin(url, target)
