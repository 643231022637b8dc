"""What a look at one precondition has shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from orchestrator.core.errors import OrchestratorError

EXIT_ILL = 10


class Status(StrEnum):
    """How it is. ``SKIPPED``: it could not be tried, because something that it needs has failed."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """One line. ``advice`` says what to do, ``mend`` is a command that does it, or shows what is wrong."""

    name: str
    status: Status
    what: str
    advice: str = ""
    mend: str = ""
    code: str = ""


class Doubt(OrchestratorError):  # noqa: N818 (it stops nothing)
    """What an upgrade can live with, and an operator should know."""


def to_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """The document of ``doctor --json``."""
    return {"schema": 1, "healthy": is_healthy(findings), "checks": [asdict(finding) for finding in findings]}


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Whether an upgrade can be begun."""
    return all(finding.status in (Status.OK, Status.WARNING) for finding in findings)
