"""Choose the command that remedies an error, by its stable code and the plan. Pure."""

import shlex
from collections.abc import Mapping, Sequence

from orchestrator.core.ports.recovery import Installation, Recovery
from orchestrator.plan.schema import Plan


def choose_remedy(code: str, plan: Plan, recovery: Recovery) -> str:
    """Return a command to paste: the remedy, or a look at the cause; empty where there is none."""
    own = _build_own(plan)
    family = code.partition(".")[0]
    return shlex.join(own.get(code) or recovery.remedy(code, _describe(plan)) or own.get(family, ()))


def _build_own(plan: Plan) -> Mapping[str, Sequence[str]]:
    source, backups, journal = str(plan.source), str(plan.backups.directory), str(plan.journal_directory)
    return {
        "refused.backup_folder": ("install", "-d", "-m", "700", backups),
        "doctor.folder_open": ("chmod", "700", backups),
        "doctor.no_room": ("df", "-h", journal),
        "journal.not_private": ("chmod", "-R", "go-w", journal),
        "journal.not_writable": ("ls", "-ld", str(plan.target.project), journal),
        "lock.held": ("orchestrator", "status", source),
        "run.unfinished": ("orchestrator", "recover", source),
        "plan.unsafe": ("orchestrator", "lint", source),
        "doctor.plan_warning": ("orchestrator", "lint", source),
        "doctor.clock": ("timedatectl", "set-ntp", "true"),
        "releases": ("orchestrator", "check", source),
    }


def _describe(plan: Plan) -> Installation:
    target = plan.target
    return Installation(
        directory=target.project,
        services=target.services,
        image=target.image,
        version_variable=target.version_variable,
        backups=plan.backups.directory,
        store_service=plan.database.service if plan.database else "",
    )
