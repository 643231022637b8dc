"""A look at the app from outside."""

from typing import Protocol

from orchestrator.core.model.workloads import ProbeAnswer


class Probe(Protocol):
    """An outside look at the app."""

    def get(self, url: str, *, timeout_s: float, asked: str | None = None) -> ProbeAnswer:
        """One GET, redirects not followed, at most 64 KiB of the body. Never raises for what the app does.

        ``asked`` is the address that users ask at, where ``url`` is another one of the same app: the request names
        the host, the port and the scheme of ``asked``, as a browser or a proxy in front of the app would.
        """
