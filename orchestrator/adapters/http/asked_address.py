"""Build the headers that name the address users ask, for a request to a container's own address; pure.

An app that answers to its own host name only, or that builds links from it, is asked as its users or the proxy in
front of it would ask. ``X-Forwarded-For`` is left out: an app that trusts no proxy refuses a request that has it.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def build_headers(asked: str) -> Mapping[str, str]:
    """Build the headers of a request that stands for one to the address ``asked``; a login in it is left out.

    Raises:
        ValueError: it is no address of HTTP.
    """
    parts = urlsplit(asked)
    host, default = name_host(asked), _PORTS.get(parts.scheme)
    if not host or default is None:
        raise ValueError(f"not an address of HTTP: {parts.scheme}://{host}")
    port = parts.port or default
    shown = host if port == default else f"{host}:{port}"
    return {
        "Host": shown,
        "X-Forwarded-Host": shown,
        "X-Forwarded-Proto": parts.scheme,
        "X-Forwarded-Port": str(port),
    }


def name_host(url: str) -> str:
    """Return the host of an address as a browser sends it: ASCII, IPv6 in brackets and without its zone."""
    host = (urlsplit(url).hostname or "").partition("%")[0]
    if ":" in host:
        return f"[{host}]"
    return host if host.isascii() else host.encode("idna").decode()
