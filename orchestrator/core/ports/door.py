"""The proxy in front of the app, where requests can wait while the app changes its version.

No adapter implements it yet: a plan without a door keeps users away by the gate (`Workloads.start_services`).
"""

from typing import Protocol

from orchestrator.core.deadline import Deadline


class Door(Protocol):
    """Holds new requests until a version is there for them. Raises `PlatformError`."""

    def inspect(self) -> str:
        """Describe the proxy, and see that it can hold, drain and route. Changes nothing."""

    def hold(self, *, at_most_s: float) -> None:
        """Let new requests wait; the proxy itself ends that after ``at_most_s``. Repeating is harmless."""

    def drain(self, *, deadline: Deadline) -> int:
        """Wait until what was let in before is answered; how many requests were still in flight at the deadline."""

    def route(self, address: str) -> None:
        """Send what waits, and what comes, to this address once the door is released. Repeating is harmless."""

    def release(self) -> None:
        """Let in what waits. Repeating is harmless."""
