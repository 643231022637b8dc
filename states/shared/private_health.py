"""Asking a version for its health where its users do not reach it yet."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.core.model.workloads import ProbeAnswer
from orchestrator.core.ports.probe import Probe


@dataclass(frozen=True)
class PastGate:
    """A probe that asks at private addresses and names the ones that users ask at.

    ``private`` maps an address of users to the private one; whatever it lacks is asked as it is.
    """

    probe: Probe
    private: Mapping[str, str]

    def get(self, url: str, *, timeout_s: float, asked: str | None = None) -> ProbeAnswer:
        """See `Probe.get`; ``url`` is an address of users."""
        return self.probe.get(self.private.get(url, url), timeout_s=timeout_s, asked=asked or url)
