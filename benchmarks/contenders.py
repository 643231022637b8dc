"""The contenders: the orchestrator, the plainest script, and the floor. Each takes a host to another release."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from benchmarks.floor import Floor
from benchmarks.ground import BAD_MIGRATION, GOOD, HEALTH_S, NEVER_GOOD, OLD, STEADY_S, Stand
from benchmarks.process import run_measured
from benchmarks.watching import watch_outage
from tests.engine.installation import ORCHESTRATOR, Document

ORCHESTRATED, SCRIPT, CAREFUL_SCRIPT, FLOOR = "orchestrator", "script", "script, stopped first", "floor"
COMMITTED, MIGRATION_FAILED, WAS_NEVER_GOOD = "committed", "rolled back, migration failed", "rolled back, never good"

RELEASES = {COMMITTED: GOOD, MIGRATION_FAILED: BAD_MIGRATION, WAS_NEVER_GOOD: NEVER_GOOD}

_RUN_S = 3600
_SCRIPT = Path(__file__).with_name("plain_upgrade.sh")
_PATIENCE_S = 60


@dataclass(frozen=True)
class Measured:
    """One upgrade. ``deliberate_s`` of its outage were intended; ``parts`` are the states, or the floor's calls."""

    outage_s: float
    deliberate_s: float
    total_s: float
    spans: int
    peak_bytes: int = 0
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def net_s(self) -> float:
        """The outage without intended waiting."""
        return self.outage_s - self.deliberate_s


@dataclass
class _Run:
    total_s: float = 0.0
    deliberate_s: float = 0.0
    peak_bytes: int = 0
    parts: dict[str, float] = field(default_factory=dict)


def measure(
    stand: Stand, contender: str, ending: str, change: Callable[[Document], Document] = lambda plan: plan
) -> Measured:
    """Let one of them do it; raises `BedError` where it ends otherwise than it should.

    ``change`` is made to the orchestrator's plan.
    """
    run = _Run()
    acts: dict[str, Callable[[], None]] = {
        ORCHESTRATED: lambda: _orchestrate(stand, ending, run, change),
        SCRIPT: lambda: _script(stand, ending, run),
        CAREFUL_SCRIPT: lambda: _script(stand, ending, run, "stop-first"),
        FLOOR: lambda: _floor(stand, ending, run),
    }
    after = GOOD if ending == COMMITTED else OLD
    outage = watch_outage(stand.host.url, before=OLD, after=after, act=acts[contender])
    return Measured(outage.seconds, run.deliberate_s, run.total_s, outage.spans, run.peak_bytes, run.parts)


def build_run(plan: Path, target: str) -> list[str]:
    """Arguments of the command line that upgrades to a release without asking."""
    return ["run", str(plan), "--force", "--version", f"v{target}", "--json"]


def tell_deliberate(ending: str, states: Mapping[str, float]) -> float:
    """Return how long the orchestrator has waited by intention while users were without the app."""
    if ending == WAS_NEVER_GOOD:
        return HEALTH_S
    return STEADY_S if ending == COMMITTED and states["health"] >= STEADY_S else 0.0


# A rehearsal would refuse the bad releases while the app serves: it is left out for them.
def _orchestrate(stand: Stand, ending: str, run: _Run, change: Callable[[Document], Document]) -> None:
    patience = f"{HEALTH_S:g}s" if ending == WAS_NEVER_GOOD else "5m"
    plan = change(stand.build_plan(rehearsed=ending == COMMITTED, patience=patience))
    ended = run_measured(
        [str(ORCHESTRATOR), *build_run(stand.save_plan(plan), RELEASES[ending])],
        timeout_s=_RUN_S,
        expect=0 if ending == COMMITTED else 20,
    )
    run.total_s, run.peak_bytes = ended.seconds, ended.peak_bytes
    run.parts |= {state["state"]: state["seconds"] for state in json.loads(ended.stdout)["states"]}
    run.deliberate_s = tell_deliberate(ending, run.parts)


def _script(stand: Stand, ending: str, run: _Run, *arguments: str) -> None:
    patience = HEALTH_S if ending == WAS_NEVER_GOOD else _PATIENCE_S
    argv = [str(_SCRIPT), str(stand.host.folder), f"v{RELEASES[ending]}", f"{patience:.0f}", *arguments]
    run.deliberate_s = HEALTH_S if ending == WAS_NEVER_GOOD else 0.0
    run.total_s = run_measured(argv, timeout_s=_RUN_S, expect=0 if ending == COMMITTED else 20).seconds


def _floor(stand: Stand, ending: str, run: _Run) -> None:
    began = monotonic()
    floor = Floor(stand.host, run.parts)
    floor.go(RELEASES[ending])
    run.total_s = monotonic() - began
