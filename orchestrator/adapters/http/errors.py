"""Build the errors of requests, in words for an operator; no text of a server is in them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from orchestrator.adapters.http.rate_limit import read_retry_at
from orchestrator.core.errors import UNTOUCHED, ReleaseError

_RATE_LIMITED = 429
_REFUSALS = (401, 403)


def untrusted_response(url: str, what: str) -> ReleaseError:
    """Build the error for an answer that such a server does not send."""
    return ReleaseError(
        "releases.hostile",
        f"{_shown(url)} {what}.",
        impact=f"The answer was thrown away. {UNTOUCHED}",
        hint="See that the address in the plan is the right one and that no proxy answers in its place.",
    )


def unreachable(url: str, what: str, *, retry_at: datetime | None = None) -> ReleaseError:
    """Build the error for a server without a usable answer; ``retry_at`` if it says when it will have one."""
    return ReleaseError(
        "releases.unreachable",
        f"{_shown(url)} {what}.",
        impact=UNTOUCHED,
        hint="See that this host can reach it, then try again.",
        retry_at=retry_at,
    )


def denied(url: str, status: int) -> ReleaseError:
    """Build the error for a server that wants a login, or another one."""
    return ReleaseError(
        "releases.denied",
        f"{_shown(url)} refuses access ({status}).",
        impact=UNTOUCHED,
        hint="Give it a token that may read the releases, or correct the one that it has.",
    )


def require_success(url: str, status: int, headers: Mapping[str, str]) -> None:
    """Return where the status is a success. Raises `ReleaseError`."""
    if status == 200:  # noqa: PLR2004 - the one status that comes with a document
        return
    limited = headers.get("X-RateLimit-Remaining") == "0" or "Retry-After" in headers
    if status == _RATE_LIMITED or (status in _REFUSALS and limited):
        raise _rate_limited(url, status, headers)
    if status in _REFUSALS:
        raise denied(url, status)
    if status == 404:  # noqa: PLR2004
        raise _not_found(url)
    if status >= 500:  # noqa: PLR2004
        retry_at = read_retry_at(headers, datetime.now(UTC))
        raise unreachable(url, f"is out of order ({status})", retry_at=retry_at)
    raise untrusted_response(url, f"gave an answer that makes no sense here ({status})")


def _rate_limited(url: str, status: int, headers: Mapping[str, str]) -> ReleaseError:
    retry_at = read_retry_at(headers, datetime.now(UTC))
    return ReleaseError(
        "releases.rate_limited",
        f"{_shown(url)} has had too many questions from this address ({status}).",
        impact=UNTOUCHED,
        hint=f"Try again {f'after {retry_at:%Y-%m-%d %H:%M} UTC' if retry_at else 'later'}, or give it a token: that"
        " allows more.",
        retry_at=retry_at,
    )


def _not_found(url: str) -> ReleaseError:
    return ReleaseError(
        "releases.not_found",
        f"{_shown(url)} does not exist (404).",
        impact=UNTOUCHED,
        hint="Correct the name in the plan; for a private one, give a token that may read it.",
    )


def _shown(url: str) -> str:
    """Return host and path; a query or a login in the address may be secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "An address that is none"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
