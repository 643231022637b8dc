"""HTTP as this program speaks it: bounded in time, size and depth, and never led to another host.

What a server sends is untrusted; none of it appears in an error, nor does anything that we sent.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.util.retry import Retry

from orchestrator.adapters.addresses import is_loopback, is_same_origin
from orchestrator.adapters.flow import run_aside
from orchestrator.adapters.rate_limit import read_retry_at
from orchestrator.errors import ReleaseError

T = TypeVar("T")

_CHUNK_BYTES = 64 * 1024
_MAX_REDIRECTS = 3
_UNTOUCHED = "Nothing was changed; the app runs as before."
_RATE_LIMITED = 429
_REFUSALS = (401, 403)


@dataclass(frozen=True)
class Limits:
    """How much a server may cost us. ``body_bytes`` is counted after decompression, ``retries`` are quick ones."""

    connect_s: float = 5.0
    read_s: float = 10.0
    total_s: float = 30.0
    body_bytes: int = 4 * 1024 * 1024
    depth: int = 32
    retries: int = 2


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Answer:
    """What a server said; ``url`` is where it was said, after redirects."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    next_url: str | None = None


@dataclass(frozen=True)
class Document:
    """Parsed JSON, of any shape, and where its next page is."""

    content: object
    next_url: str | None


class _NoCredentials(requests.auth.AuthBase):
    """Keeps requests from taking a login out of ``~/.netrc``, which would replace ours."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def fetch_json(
    session: requests.Session, url: str, headers: Mapping[str, str], *, limits: Limits = DEFAULT_LIMITS
) -> Document:
    """GET a JSON document.

    Raises:
        ReleaseError: ``releases.unreachable``, ``releases.rate_limited``, ``releases.denied``,
            ``releases.not_found``, ``releases.hostile`` (too large, not JSON, or led to another host).
    """
    return read_document(fetch(session, url, headers, limits=limits), limits=limits)


def fetch(
    session: requests.Session, url: str, headers: Mapping[str, str], *, limits: Limits = DEFAULT_LIMITS
) -> Answer:
    """GET whatever the status is; redirects are followed on the same host only.

    Raises:
        ReleaseError: ``releases.unreachable``, ``releases.hostile``.
    """
    try:
        return run_bounded(lambda: _follow(session, url, headers, limits), limits.total_s)
    except TimeoutError as cause:
        raise unreachable(url, f"did not answer in full within {limits.total_s:g} s") from cause
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as cause:
        raise unreachable(url, f"could not be read ({type(cause).__name__})") from cause


def read_document(answer: Answer, *, limits: Limits = DEFAULT_LIMITS) -> Document:
    """The JSON of an answer. Raises `ReleaseError` as `fetch_json`."""
    _require_success(answer)
    try:
        content: object = json.loads(answer.body)
    except (ValueError, RecursionError) as cause:
        raise hostile(answer.url, "sent something that is not JSON") from cause
    if _is_deeper(content, limits.depth):
        raise hostile(answer.url, f"sent JSON that is nested deeper than {limits.depth} levels")
    return Document(content, answer.next_url)


def new_session(url: str, *, retries: int = 2, retry_after_max_s: int = 10) -> requests.Session:
    """A session for one server: a few quick retries, no login of its own, no proxy to reach loopback."""
    retry = Retry(
        total=retries,
        backoff_factor=0.2,
        backoff_max=2,
        status_forcelist=(500, 502, 503, 504),
        raise_on_status=False,
        retry_after_max=retry_after_max_s,
    )
    session = requests.Session()
    session.trust_env = not is_loopback(url)
    session.auth = _NoCredentials()
    session.headers["User-Agent"] = "upgrade-orchestrator"
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def run_bounded(call: Callable[[], T], seconds: float) -> T:
    """Run a blocking call that cannot bound itself (name resolution, a header sent a byte a second).

    Raises:
        TimeoutError: it was not over in time; it is left to end on a thread that holds nothing up.
    """
    return run_aside(call).result(timeout=seconds)


def read_body(response: requests.Response, limit_bytes: int, ends_at: float) -> bytes:
    """At most ``limit_bytes`` of the body, decompressed, until ``ends_at`` of the monotonic clock.

    Raises:
        TimeoutError: the clock was quicker.
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


def hostile(url: str, what: str) -> ReleaseError:
    """The server's answer is not what such a server sends."""
    return ReleaseError(
        "releases.hostile",
        f"{_shown(url)} {what}.",
        meaning=f"The answer was thrown away. {_UNTOUCHED}",
        hint="See that the address in the plan is the right one and that no proxy answers in its place.",
    )


def unreachable(url: str, what: str, *, retry_at: datetime | None = None) -> ReleaseError:
    """The server gave no usable answer this time; ``retry_at`` where it says when it will."""
    return ReleaseError(
        "releases.unreachable",
        f"{_shown(url)} {what}.",
        meaning=_UNTOUCHED,
        hint="See that this host can reach it, then try again.",
        retry_at=retry_at,
    )


def denied(url: str, status: int) -> ReleaseError:
    """The server wants a login, or another one."""
    return ReleaseError(
        "releases.denied",
        f"{_shown(url)} refuses access ({status}).",
        meaning=_UNTOUCHED,
        hint="Give it a token that may read the releases, or correct the one that it has.",
    )


def _follow(session: requests.Session, url: str, headers: Mapping[str, str], limits: Limits) -> Answer:
    ends_at = time.monotonic() + limits.total_s
    for _ in range(_MAX_REDIRECTS + 1):
        answer, target = _request(session, url, headers, limits, ends_at)
        if target is None:
            return answer
        if not is_same_origin(url, target):
            raise hostile(url, "redirects to another host")
        url = target
    raise hostile(url, f"redirects more than {_MAX_REDIRECTS} times")


def _request(
    session: requests.Session, url: str, headers: Mapping[str, str], limits: Limits, ends_at: float
) -> tuple[Answer, str | None]:
    timeout = (limits.connect_s, limits.read_s)
    with session.get(url, headers=dict(headers), timeout=timeout, stream=True, allow_redirects=False) as response:
        target = response.headers["Location"] if response.is_redirect else None
        body = b"" if target else read_body(response, limits.body_bytes + 1, ends_at)
        if len(body) > limits.body_bytes:
            raise hostile(url, f"sent more than {limits.body_bytes} bytes")
        following = response.links.get("next", {}).get("url")
        answer = Answer(
            url=url,
            status=response.status_code,
            headers=CaseInsensitiveDict(response.headers),
            body=body,
            next_url=urljoin(url, following) if following else None,
        )
        return answer, urljoin(url, target) if target else None


def _require_success(answer: Answer) -> None:
    status = answer.status
    if status == 200:  # noqa: PLR2004 - the one status that comes with a document
        return
    limited = answer.headers.get("X-RateLimit-Remaining") == "0" or "Retry-After" in answer.headers
    if status == _RATE_LIMITED or (status in _REFUSALS and limited):
        raise _rate_limited(answer)
    if status in _REFUSALS:
        raise denied(answer.url, status)
    if status == 404:  # noqa: PLR2004
        raise _not_found(answer.url)
    if status >= 500:  # noqa: PLR2004
        retry_at = read_retry_at(answer.headers, datetime.now(UTC))
        raise unreachable(answer.url, f"is out of order ({status})", retry_at=retry_at)
    raise hostile(answer.url, f"gave an answer that makes no sense here ({status})")


def _rate_limited(answer: Answer) -> ReleaseError:
    retry_at = read_retry_at(answer.headers, datetime.now(UTC))
    return ReleaseError(
        "releases.rate_limited",
        f"{_shown(answer.url)} has had too many questions from this address ({answer.status}).",
        meaning=_UNTOUCHED,
        hint=f"Try again {f'after {retry_at:%Y-%m-%d %H:%M} UTC' if retry_at else 'later'}, or give it a token: that"
        " allows more.",
        retry_at=retry_at,
    )


def _not_found(url: str) -> ReleaseError:
    return ReleaseError(
        "releases.not_found",
        f"{_shown(url)} does not exist (404).",
        meaning=_UNTOUCHED,
        hint="Correct the name in the plan; for a private one, give a token that may read it.",
    )


def _is_deeper(content: object, depth: int) -> bool:
    level = [content]
    for _ in range(depth):
        containers = [item for item in level if isinstance(item, dict | list)]
        level = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def _shown(url: str) -> str:
    """Host and path; a query or a login in the address may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
