"""A journal with runs of the real engine on the fake world, and one that is under way."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.core.facts import Facts
from orchestrator.journal.journal import Journal, Run
from orchestrator.plan.schema import Plan
from tests.tools.bench import Bench

RUN = "r-20260105-093000-4f2a"


def make_past(folder: Path) -> Plan:
    """The plan of a project with one good run and two that went back or were refused."""
    bench = Bench(folder)
    for version in ("v1.1.0", "v1.2.0", "v1.3.0"):
        bench.run(version)
        bench.world.clock.advance(3600)
    return bench.plan


class RunUnderWay:
    """Writes what an engine would write, state after state."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._moment = datetime.now(UTC)
        with closing(Journal.open(plan.journal_directory)) as journal:
            journal.begin(
                Run(
                    id=RUN, plan_name=plan.name, plan_sha256="0" * 64, plan_source=str(plan.source), pid=1, boot_id="b",
                    request={"operation": "upgrade"}, began_at=self._moment, ended_at=None, verdict=None,
                    end_state=None, exit_code=None, reason="",
                ),
                tool_version="0",
            )  # fmt: skip

    def enter(self, state: str) -> None:
        """The run is in this state now."""
        spec = self._plan.states[state]
        self._append("entered", state, {"kind": spec.kind, "attempt": 1, "deadline_s": spec.timeout_s})

    def leave(
        self, state: str, outcome: str, reason: str = "", facts: Facts | None = None, seconds: float = 1.5
    ) -> None:
        """The state is over."""
        known = (facts or Facts()).to_json()
        to = self._plan.states[state].then[outcome]
        payload = {"outcome": outcome, "reason": reason, "to": to, "seconds": seconds, "facts": known}
        self._append("left", state, payload)

    def _append(self, record: str, state: str, payload: Mapping[str, Any]) -> None:
        self._moment += timedelta(milliseconds=1)
        with closing(Journal.open(self._plan.journal_directory)) as journal:
            journal.append(RUN, self._moment, record, state, payload)
