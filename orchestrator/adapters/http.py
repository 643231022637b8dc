"""JSON from a release source: bounded in bytes, time, depth and trust."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from orchestrator.errors import ReleaseError

_MAX_BYTES = 4 * 1024**2
_TIMEOUT_S = (5.0, 15.0)
_TOTAL_S = 30.0
_RETRIES = 2
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429


@dataclass(frozen=True)
class Answer:
    """A parsed JSON document; ``next_url`` is the following page by its ``Link``, on the same host only."""

    document: Any
    next_url: str | None
    headers: Mapping[str, str]


def make_session() -> requests.Session:
    """A session that tries again after a broken connection or a gateway error, and never for long."""
    session = requests.Session()
    retry = Retry(
        total=_RETRIES,
        backoff_factor=0.3,
        status_forcelist=(502, 503, 504),
        allowed_methods=("GET",),
        raise_on_status=False,
        respect_retry_after_header=False,  # a server could hold us for an hour
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def fetch_json(session: requests.Session, url: str, headers: Mapping[str, str], *, what: str) -> Answer:
    """GET a JSON document; ``what`` names the source in the error that an operator reads.

    Raises:
        ReleaseError: ``releases.unreachable``, ``releases.rate_limited``, ``releases.denied``,
            ``releases.not_found``, ``releases.hostile``.
    """
    try:
        # Redirects are refused: a source that moved is one whose new place the plan must name.
        with session.get(url, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False, stream=True) as response:
            _check_status(response, what)
            content = _read(response, what)
            return Answer(_parse(content, what), _next_page(response, url), response.headers)
    except requests.RequestException as error:
        raise ReleaseError(
            "releases.unreachable",
            f"{what} cannot be reached: {type(error).__name__}.",
            meaning="Nothing was touched.",
            hint="Look at the network, or name a release source that can be reached from here.",
        ) from error


def _check_status(response: requests.Response, what: str) -> None:
    status = response.status_code
    if response.ok and not response.is_redirect:
        return
    limited = status == _TOO_MANY or (status == _FORBIDDEN and response.headers.get("X-RateLimit-Remaining") == "0")
    if limited:
        raise ReleaseError(
            "releases.rate_limited",
            f"{what} limits how often it may be asked{_until(response)}.",
            meaning="Nothing was touched.",
            hint="Wait until then, or give a token by `releases: token_variable:`.",
        )
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        raise ReleaseError(
            "releases.denied",
            f"{what} refuses to answer ({status}).",
            meaning="Nothing was touched.",
            hint="Give a token that may read it by `releases: token_variable:`.",
        )
    if status == _NOT_FOUND:
        raise ReleaseError(
            "releases.not_found",
            f"{what} does not exist, or may not be seen without a token.",
            meaning="Nothing was touched.",
            hint="Correct `releases:` in the plan.",
        )
    raise ReleaseError("releases.unreachable", f"{what} answers {status}.", meaning="Nothing was touched.")


def _read(response: requests.Response, what: str) -> bytes:
    content, until = bytearray(), time.monotonic() + _TOTAL_S
    for chunk in response.iter_content(64 * 1024):
        content += chunk
        if len(content) > _MAX_BYTES:
            raise ReleaseError("releases.hostile", f"{what} sends more than 4 MiB.", meaning="Nothing was touched.")
        if time.monotonic() > until:
            raise ReleaseError("releases.unreachable", f"{what} was not done within {_TOTAL_S:g} s.")
    return bytes(content)


def _parse(content: bytes, what: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ReleaseError(
            "releases.hostile", f"{what} does not answer with JSON.", meaning="Nothing was touched."
        ) from error


def _next_page(response: requests.Response, url: str) -> str | None:
    found = response.links.get("next", {}).get("url")
    if not found:
        return None
    following = requests.compat.urljoin(url, found)
    return following if urlsplit(following)[:2] == urlsplit(url)[:2] else None


def _until(response: requests.Response) -> str:
    reset = response.headers.get("X-RateLimit-Reset", "")
    if reset.isascii() and reset.isdigit() and len(reset) <= len("9999999999"):
        return f" until {datetime.fromtimestamp(int(reset), UTC):%Y-%m-%d %H:%M} UTC"
    after = response.headers.get("Retry-After", "")
    return f"; it may be asked again in {after} s" if after.isascii() and after.isdigit() else ""
