"""Restrict the run page to this machine, or to clients with the token."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Request, Response, request

#: What anybody may ask, so that a supervisor needs no secret.
OPEN_PATHS = frozenset({"/api/health"})
_CHALLENGE = 'Basic realm="orchestrator", charset="UTF-8"'


def require_token(token: str) -> Callable[[], Response | None]:
    """Check each request for the token: as a bearer, or as the password of any user, as browsers ask for it."""
    wanted = token.encode()

    def check() -> Response | None:
        if request.path in OPEN_PATHS or any(hmac.compare_digest(sent, wanted) for sent in _read_sent(request)):
            return None
        return Response("A token is needed.\n", 401, {"WWW-Authenticate": _CHALLENGE}, mimetype="text/plain")

    return check


def require_loopback_name() -> Response | None:
    """Check each request: a name that leads here from elsewhere (DNS rebinding) is not answered."""
    if is_loopback_host(urlsplit(f"//{request.host}").hostname or ""):
        return None
    return Response("This page is for this machine only.\n", 421, mimetype="text/plain")


def is_loopback_host(host: str) -> bool:
    """Tell whether an address or a name to bind to is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_sent(asked: Request) -> list[bytes]:
    sent = asked.authorization
    if sent is None:
        return []
    text = sent.token if sent.type == "bearer" else sent.password if sent.type == "basic" else None
    return [text.encode()] if text else []
