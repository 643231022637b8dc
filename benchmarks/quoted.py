"""Run benchmarks that stand by themselves; the output of each is a part of the report."""

from __future__ import annotations

import sys

from benchmarks.ground import Ground
from benchmarks.process import run_measured
from benchmarks.report import Part
from tests.engine.installation import CHECKOUT

_TIMEOUT_S = 1800
_SMALL_MB = 10


def measure_checker() -> Part:
    """Measure a check of longer and longer plans."""
    return _quote("checker", "The checker, in time of the processor:")


def measure_endpoint(seconds: float) -> Part:
    """Measure ``GET /api/version`` beside a constant."""
    return _quote(
        "endpoint", "`GET /api/version` at 500 requests a second from 8 clients:", "--seconds", f"{seconds:g}"
    )


def measure_start(ground: Ground) -> Part:
    """Measure how long the command line takes to its first output."""
    with ground.stand(_SMALL_MB) as stand:
        plan = stand.save_plan(stand.build_plan())
        return _quote("start", "The command line beside a bare click program, and a dry run:", str(plan))


# A bound of its own that does not hold is for its reader to see; here it is only printed.
def _quote(name: str, title: str, *arguments: str) -> Part:
    argv = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    ended = run_measured(argv, timeout_s=_TIMEOUT_S, expect=None, environment={"PYTHONPATH": str(CHECKOUT)})
    said = ended.stdout.rstrip("\n") or ended.stderr.rstrip("\n")
    return Part(name, [title, f"```text\n{said}\n```"], {"exit_code": ended.exit_code, "said": said.splitlines()})
