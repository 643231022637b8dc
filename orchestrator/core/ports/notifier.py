"""Who is told how a run ended."""

from typing import Protocol

from orchestrator.core.model.notices import Notice


class Notifier(Protocol):
    """Whoever is to be told how a run ended."""

    def send(self, notice: Notice, *, timeout_s: float) -> tuple[str, ...]:
        """Tell it; what did not work, one sentence each, without a secret. Never raises, and is over in time."""
