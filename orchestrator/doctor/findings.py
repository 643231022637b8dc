"""Results of the checks of preconditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.core.errors import OrchestratorError

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


def to_document(results: Sequence[CheckResult]) -> dict[str, Any]:
    """Build the document of ``doctor --json``."""
    return {"schema": 1, "healthy": is_healthy(results), "checks": [_to_json(result) for result in results]}


def is_healthy(results: Sequence[CheckResult]) -> bool:
    """Tell whether an upgrade can be begun."""
    return all(result.status in (Status.OK, Status.WARNING) for result in results)


def _to_json(result: CheckResult) -> dict[str, str]:
    return {
        "name": result.name,
        "status": result.status.value,
        "what": result.summary,
        "advice": result.advice,
        "mend": result.remedy,
        "code": result.code,
    }
