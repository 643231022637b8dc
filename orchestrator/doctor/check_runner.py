"""The examination: each check in its turn, and what a failed one is needed for is left out and said to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.core.errors import InterruptedByOperatorError, OrchestratorError
from orchestrator.core.ports.recovery import Recovery
from orchestrator.doctor.findings import Doubt, Finding, Status
from orchestrator.doctor.remedies import choose_remedy
from orchestrator.plan.schema import Plan


@dataclass(frozen=True)
class Check:
    """``try_it`` returns what is well, in a few words, and raises what is not; ``needs`` are names of other checks."""

    name: str
    try_it: Callable[[], str]
    needs: tuple[str, ...] = ()


def examine(plan: Plan, recovery: Recovery, checks: Sequence[Check]) -> Iterator[Finding]:
    """Make every check; a finding as soon as there is one."""
    well: set[str] = set()
    for check in checks:
        lacking = [name for name in check.needs if name not in well]
        finding = _skip(check, lacking) if lacking else _make(plan, recovery, check)
        if finding.status in (Status.OK, Status.WARNING):
            well.add(check.name)
        yield finding


def _skip(check: Check, lacking: Sequence[str]) -> Finding:
    return Finding(check.name, Status.SKIPPED, f"not tried: it needs {' and '.join(lacking)}")


def _make(plan: Plan, recovery: Recovery, check: Check) -> Finding:
    try:
        return Finding(check.name, Status.OK, check.try_it())
    except InterruptedByOperatorError:
        raise
    except OrchestratorError as error:
        status = Status.WARNING if isinstance(error, Doubt) else Status.FAILED
        mend = choose_remedy(error.code, plan, recovery)
        return Finding(check.name, status, error.summary, error.hint, mend, error.code)
