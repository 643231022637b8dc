"""Run the checks of preconditions in turn; a check whose needs have failed is skipped and reported as skipped."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.core.errors import InterruptedByOperatorError, OrchestratorError
from orchestrator.core.ports.recovery import Recovery
from orchestrator.doctor.remedies import choose_remedy
from orchestrator.plan.schema import Plan

EXIT_UNHEALTHY = 10


class Status(StrEnum):
    """Result of a check. ``SKIPPED``: it could not be tried, because another check that it needs has failed."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CheckResult:
    """One line. ``advice`` says what to do; ``remedy`` is a command that does it, or shows the cause."""

    name: str
    status: Status
    summary: str
    advice: str = ""
    remedy: str = ""
    code: str = ""


class DoctorWarning(OrchestratorError):  # noqa: N818 (it stops nothing)
    """A problem that does not prevent an upgrade, but that an operator should know."""


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
        if lacking:
            yield CheckResult(check.name, Status.SKIPPED, f"not tried: it needs {' and '.join(lacking)}")
            continue
        result = _make(plan, recovery, check)
        if result.status is not Status.FAILED:
            well.add(check.name)
        yield result


def is_healthy(results: Sequence[CheckResult]) -> bool:
    """Tell whether an upgrade can be begun."""
    return all(result.status in (Status.OK, Status.WARNING) for result in results)


def to_document(results: Sequence[CheckResult]) -> dict[str, Any]:
    """Build the document of ``doctor --json``."""
    checks = [
        {
            "name": result.name,
            "status": result.status.value,
            "what": result.summary,
            "advice": result.advice,
            "mend": result.remedy,
            "code": result.code,
        }
        for result in results
    ]
    return {"schema": 1, "healthy": is_healthy(results), "checks": checks}


def _make(plan: Plan, recovery: Recovery, check: Check) -> CheckResult:
    try:
        return CheckResult(check.name, Status.OK, check.try_it())
    except InterruptedByOperatorError:
        raise
    except OrchestratorError as error:
        status = Status.WARNING if isinstance(error, DoctorWarning) else Status.FAILED
        remedy = choose_remedy(error.code, plan, recovery)
        return CheckResult(check.name, status, error.summary, error.hint, remedy, error.code)
