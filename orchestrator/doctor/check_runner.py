"""Run the checks in turn; a check whose needs have failed is skipped and reported as skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.core.errors import InterruptedByOperatorError, OrchestratorError
from orchestrator.core.ports.recovery import Recovery
from orchestrator.doctor.findings import CheckResult, DoctorWarning, Status
from orchestrator.doctor.remedies import choose_remedy
from orchestrator.plan.schema import Plan


@dataclass(frozen=True)
class Check:
    """``try_it`` returns a few words when all is well, and raises otherwise; ``needs`` are names of other checks."""

    name: str
    try_it: Callable[[], str]
    needs: tuple[str, ...] = ()


def run_checks(plan: Plan, recovery: Recovery, checks: Sequence[Check]) -> Iterator[CheckResult]:
    """Run every check; yield each result as soon as there is one."""
    well: set[str] = set()
    for check in checks:
        lacking = [name for name in check.needs if name not in well]
        result = _skip(check, lacking) if lacking else _make(plan, recovery, check)
        if result.status in (Status.OK, Status.WARNING):
            well.add(check.name)
        yield result


def _skip(check: Check, lacking: Sequence[str]) -> CheckResult:
    return CheckResult(check.name, Status.SKIPPED, f"not tried: it needs {' and '.join(lacking)}")


def _make(plan: Plan, recovery: Recovery, check: Check) -> CheckResult:
    try:
        return CheckResult(check.name, Status.OK, check.try_it())
    except InterruptedByOperatorError:
        raise
    except OrchestratorError as error:
        status = Status.WARNING if isinstance(error, DoctorWarning) else Status.FAILED
        remedy = choose_remedy(error.code, plan, recovery)
        return CheckResult(check.name, status, error.summary, error.hint, remedy, error.code)
