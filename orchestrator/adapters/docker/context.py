"""Which engine the environment means: held for as long as the process lives, and reached where nobody can listen in."""

import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from docker.context import ContextAPI
from docker.errors import DockerException

from orchestrator.core.errors import PlatformError

_CHOICES = ("DOCKER_HOST", "DOCKER_CONTEXT")
_PRIVATE_SCHEMES = frozenset({"unix", "http+unix", "ssh"})
_DEFAULT = "default"
_AGREED = "ORCHESTRATOR_PLAIN_TCP"


def pin_docker_context(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with the present docker context in it by name.

    Otherwise `docker context use` in the middle of a run would send Compose to another engine than the one that we
    are connected to.
    """
    held = dict(environment)
    if any(held.get(name) for name in _CHOICES):
        return held
    with suppress(DockerException, OSError, ValueError):  # the first call to the engine says what is wrong
        context = ContextAPI.get_current_context()
        if context is not None:
            held["DOCKER_CONTEXT"] = str(context.name)
    return held


def require_private_channel(environment: Mapping[str, str]) -> None:
    """See that nobody on the network can read or change what is said to the engine, which is root on its host.

    An operator agrees to one address without TLS, such as a socket proxy's, by naming it in ORCHESTRATOR_PLAIN_TCP.

    Raises:
        PlatformError: ``engine.plain_tcp``, ``engine.unknown_context``.
    """
    host, is_verified = _find_address(environment)
    if is_verified or _is_private(host) or environment.get(_AGREED) == host:
        return
    raise PlatformError(
        "engine.plain_tcp",
        f"The engine {host} would be spoken to without TLS that is verified: whoever is between could command it.",
        impact="Nothing was touched.",
        hint=f"Set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, use DOCKER_HOST=ssh://…, or agree: {_AGREED}={host}",
    )


def _find_address(environment: Mapping[str, str]) -> tuple[str, bool]:
    """Where the engine is, empty for the default socket; and whether TLS is verified there."""
    if host := environment.get("DOCKER_HOST", ""):
        return host, bool(environment.get("DOCKER_TLS_VERIFY"))
    address, is_verified = "", bool(environment.get("DOCKER_TLS_VERIFY"))
    with suppress(DockerException, OSError, ValueError):
        found = ContextAPI.kwargs_from_context(environment=dict(environment))
        address, tls = str(found.get("base_url") or ""), found.get("tls")
        is_verified = is_verified or bool(tls and tls.verify)
    if not address and environment.get("DOCKER_CONTEXT", _DEFAULT) not in ("", _DEFAULT):
        # Compose may find it all the same, and would work on another engine than we do.
        raise PlatformError(
            "engine.unknown_context",
            f"Where the docker context {environment['DOCKER_CONTEXT']} leads cannot be read.",
            impact="Nothing was touched.",
            hint="`docker context ls` lists them; name one with DOCKER_CONTEXT, or an address with DOCKER_HOST.",
        )
    return address, is_verified


def _is_private(host: str) -> bool:
    scheme, separator, _ = host.partition("://")
    if not host or (separator and scheme.lower() in _PRIVATE_SCHEMES):
        return True
    try:
        name = urlsplit(host if separator else f"tcp://{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
