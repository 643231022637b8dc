"""Where an address leads, and whether a secret may go there."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether the host of the URL is this machine by name or address."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_private_address(url: str) -> bool:
    """Whether the host of the URL is a literal address of a private network; no proxy leads there."""
    try:
        return ipaddress.ip_address(urlsplit(url).hostname or "").is_private
    except ValueError:
        return False


def is_private_channel(url: str) -> bool:
    """Whether a secret may be sent there: encrypted, or not leaving this machine."""
    return urlsplit(url).scheme == "https" or is_loopback(url)


def is_same_origin(one: str, other: str) -> bool:
    """Whether scheme, host and port are the same."""
    return urlsplit(one.lower())[:2] == urlsplit(other.lower())[:2]
