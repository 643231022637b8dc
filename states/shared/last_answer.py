"""When users were last answered: an app that goes on answering while it stops is not away yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.core.state_kind import StateContext

_ANSWER_TIMEOUT_S = 1.0  # of an app that no longer answers; the stop waits for no more than one such look


@dataclass
class LastAnswer:
    """``at`` is the moment of the last good answer, or of the beginning where there was none (UTC)."""

    ctx: StateContext[Any]
    at: datetime

    @classmethod
    def begin(cls, ctx: StateContext[Any]) -> LastAnswer:
        """Begin as the app is told to stop."""
        return cls(ctx, ctx.ports.clock.now())

    def ask(self) -> bool:
        """Ask as a user would; False once there is no good answer any more, or nowhere to ask."""
        url = self.ctx.target.health.url
        if url is None or self.ctx.ports.probe.get(url, timeout_s=_ANSWER_TIMEOUT_S).status not in range(200, 300):
            return False
        self.at = self.ctx.ports.clock.now()
        return True
