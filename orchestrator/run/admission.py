"""What must be in the hands of trusted users before anything of a plan's project is read."""

from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.errors import JournalError
from orchestrator.core.trust import require_trusted
from orchestrator.journal.file_permissions import require_own
from orchestrator.plan.schema import Plan
from states.command import CommandOptions


def admit_project(plan: Plan) -> None:
    """See that only trusted users can change what a run obeys besides its plan, or puts there for itself.

    Raises:
        TrustError: as `orchestrator.core.trust.require_trusted`.
        JournalError: ``journal.not_private``, ``journal.unusable``.
    """
    project = plan.target.project
    metrics = [plan.metrics.file.parent] if plan.metrics else []
    named = [plan.releases.path, plan.notify.urls_file if plan.notify else None]
    files = [*filter(None, named), *_find_programs(plan)]
    require_trusted(*files, folders=(project, plan.journal_directory, plan.backups.directory, *metrics))
    try:
        require_own(plan.journal_directory)
    except OSError as error:
        raise JournalError(
            "journal.unusable",
            f"The journal in {plan.journal_directory} cannot be looked at: {error.strerror}.",
            impact="Nothing was touched.",
            hint="Run as a user who may look at it.",
        ) from error


def _find_programs(plan: Plan) -> Iterator[Path]:
    for state in plan.states.values():
        if isinstance(state.options, CommandOptions) and state.options.on == "host" and "/" in state.options.run[0]:
            yield plan.target.project / state.options.run[0]
