"""Measure the checker: the standard plan, and longer and longer ones. `python -m benchmarks.checker`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from orchestrator.checker.findings import check_plan
from orchestrator.plan.schema import Plan
from states.registry import KINDS
from tests.unit.checker.mutants import command
from tests.unit.checker.plans import build_plan, lead

ROUNDS = 5
SIZES = (20, 50, 100, 200, 500, 1000, 2000)

#: Behind these states of the standard plan further ones are put; where those lead when they fail.
_PLACES = {"backup": "refused", "stop": "rollback", "migrate": "restore", "commit": "upgraded"}


def stretch(size: int) -> Plan:
    """Return the standard plan with steps of the operator's own inserted in four places, up to ``size`` states."""
    with_step = {**lead("backup.done=step"), "step": command("nothing", done="rehearse", failed="refused")}
    template, plan = build_plan(with_step).states["step"], build_plan({})
    states = dict(plan.states)
    for number in range(size - len(plan.states)):
        before = list(_PLACES)[number % len(_PLACES)]
        name, failed = f"{before}_{number}", _PLACES[before]
        then = {"done": states[before].then["done"], "failed": failed, "timeout": failed}
        states[name] = replace(template, name=name, then=then)
        states[before] = replace(states[before], then={**states[before].then, "done": name})
    return replace(plan, states=states)


def measure(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median of some rounds, in seconds of the processor."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def main() -> None:
    """Print a table: states, milliseconds, microseconds a state."""
    print(f"{'states':>7} {'ms':>9} {'µs a state':>11}")
    for size in (len(build_plan({}).states), *SIZES):
        seconds = measure(partial(check_plan, stretch(size), KINDS))
        print(f"{size:>7} {seconds * 1e3:>9.1f} {seconds * 1e6 / size:>11.1f}")


if __name__ == "__main__":
    main()
