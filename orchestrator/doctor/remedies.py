"""Which command mends what: pure, by the stable code of an error and the plan."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from orchestrator.plan.schema import Plan


def choose_mend(code: str, plan: Plan) -> str:
    """A command to paste: it mends, or shows what only a person can mend; empty where there is none."""
    command = _choose(code, plan)
    return shlex.join(command) if command else ""


def _choose(code: str, plan: Plan) -> Sequence[str]:
    project, source = str(plan.target.project), str(plan.source)
    compose = ["docker", "compose", "--project-directory", project]
    database = [plan.database.service] if plan.database else []
    commands: dict[str, Sequence[str]] = {
        "engine.unreachable": ["sudo", "systemctl", "start", "docker"],
        "engine.no_compose": ["sudo", "apt-get", "install", "docker-compose-plugin"],
        "compose.missing": ["ls", "-l", project],
        "compose.file_missing": ["ls", "-l", project],
        "compose.invalid": [*compose, "config", "--quiet"],
        "service.unknown": [*compose, "config", "--services"],
        "env.missing": ["touch", f"{project}/.env"],
        "env.variable_missing": ["grep", "-n", plan.target.version_variable, f"{project}/.env"],
        "env.variable_unused": [*compose, "config", "--images"],
        "env.not_writable": ["ls", "-ld", project, f"{project}/.env"],
        "refused.not_running": [*compose, "up", "-d", *plan.target.services],
        "refused.mixed_versions": [*compose, "up", "-d", *plan.target.services],
        "refused.pin_differs": ["grep", "-n", plan.target.version_variable, f"{project}/.env"],
        "refused.drift": [*compose, "config"],
        "refused.unhealthy": [*compose, "logs", "--tail", "50", *plan.target.services],
        "doctor.no_answer": [*compose, "logs", "--tail", "50", *plan.target.services],
        "refused.backup_folder": ["install", "-d", "-m", "700", str(plan.backups.directory)],
        "doctor.folder_open": ["chmod", "700", str(plan.backups.directory)],
        "refused.no_space": ["df", "-h", str(plan.backups.directory), "/var/lib/docker"],
        "doctor.no_room": ["df", "-h", str(plan.journal_directory)],
        "image.denied": ["docker", "login", plan.target.image.partition("/")[0]],
        "image.unreachable": ["docker", "manifest", "inspect", f"{plan.target.image}:latest"],
        "image.not_found": ["docker", "manifest", "inspect", f"{plan.target.image}:latest"],
        "journal.not_private": ["chmod", "-R", "go-w", str(plan.journal_directory)],
        "journal.not_writable": ["ls", "-ld", project, str(plan.journal_directory)],
        "lock.held": ["orchestrator", "status", source],
        "run.unfinished": ["orchestrator", "recover", source],
        "plan.unsafe": ["orchestrator", "lint", source],
        "doctor.plan_warning": ["orchestrator", "lint", source],
        "doctor.clock": ["timedatectl", "set-ntp", "true"],
        "refused.volume_shared": ["docker", "ps", "--no-trunc", "--format", "{{.Names}} {{.Mounts}}"],
        "database.rights": [*compose, "exec", *database, "psql", "--command", r"\du"],
    }
    by_family: dict[str, Sequence[str]] = {
        "database": [*compose, "logs", "--tail", "50", *database],
        "stage": [*compose, "logs", "--tail", "50", *database],
        "releases": ["orchestrator", "check", source],
        "compose": [*compose, "config", "--quiet"],
    }
    return commands.get(code) or by_family.get(code.partition(".")[0], ())
