"""Judge addresses: where they lead, and whether a secret may go there."""

import ipaddress
import socket
from collections.abc import Iterable
from enum import IntEnum
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SHARED = ipaddress.ip_network("100.64.0.0/10")  # of a provider, and of networks laid over others
_LOW_32 = 0xFFFF_FFFF


class Zone(IntEnum):
    """Distance of an address; a server may redirect only to its own zone or further, and never to ``FORBIDDEN``."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2
    FORBIDDEN = 3  # link-local, where clouds keep their metadata; multicast; reserved


def is_loopback(url: str) -> bool:
    """Tell whether the host of the URL is this machine by name or address, however that is written."""
    host = read_host(url)
    address = read_literal(host)
    if address is not None:
        return find_zone(address) is Zone.LOOPBACK
    return host == "localhost" or host.endswith(".localhost")


def is_literal(url: str) -> bool:
    """Tell whether the host of the URL is an address and no name."""
    try:
        ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return False
    return True


def is_private_address(url: str) -> bool:
    """Tell whether the host of the URL is a literal address of a private network; no proxy leads there."""
    address = read_literal(read_host(url))
    return address is not None and _unwrap(address).is_private


def is_private_channel(url: str) -> bool:
    """Tell whether a secret may be sent there: encrypted, or not leaving this machine."""
    try:
        return urlsplit(url).scheme == "https" or is_loopback(url)
    except ValueError:
        return False


def is_same_origin(one: str, other: str) -> bool:
    """Tell whether scheme, host and port are the same."""
    return urlsplit(one.lower())[:2] == urlsplit(other.lower())[:2]


def read_host(url: str) -> str:
    """Return the host of the URL without brackets, zone and final dot; empty where it has none."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return host.partition("%")[0].rstrip(".")


def read_literal(host: str) -> Address | None:
    """Return the address that a host is, also if short (``127.1``), hexadecimal, octal or one number; else None."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    if not host.isascii() or not host[-1:].isalnum() or not host[:1].isdigit():
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def find_zone(address: Address) -> Zone:
    """Return the zone of an address; one that embeds an address of version 4 is judged by that."""
    inner = _unwrap(address)
    if inner.is_loopback or inner.is_unspecified:
        return Zone.LOOPBACK
    if inner.is_link_local or inner.is_multicast or inner in _METADATA:
        return Zone.FORBIDDEN
    if inner.is_private or (inner.version == _SHARED.version and inner in _SHARED):
        return Zone.PRIVATE
    return Zone.FORBIDDEN if inner.is_reserved else Zone.PUBLIC


def resolve(host: str, port: int) -> list[Address]:
    """Resolve a host to addresses, in the order of the resolver. Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    texts = dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)
    return [ipaddress.ip_address(text) for text in texts]


def choose_admitted(addresses: Iterable[Address], asker: Iterable[Address]) -> Address | None:
    """Return the first of ``addresses`` that a server at ``asker`` may lead us to: none nearer to us than itself."""
    reach = max(map(find_zone, asker), default=Zone.PUBLIC)
    return next((one for one in addresses if find_zone(one) <= min(reach, Zone.LOOPBACK)), None)


#: Where clouds keep the credentials of a machine, outside of the link-local range.
_METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")))


def _unwrap(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is not None:
        return inner
    if address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & _LOW_32)
    return address.teredo[1] if address.teredo else address
