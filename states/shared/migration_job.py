"""The container of a run's migration: its name, its log, and its removal once it is over."""

from pathlib import Path
from typing import Any

from orchestrator.core.errors import StateError
from orchestrator.core.ports.workloads import Workloads
from orchestrator.core.state_kind import StateContext

_NOT_RUN = (126, 127)  # what a shell and the engine say of a program that cannot be run, or is not there
_KILLED = (137, 143)  # by SIGKILL, as the kernel does for want of memory, or by SIGTERM


def choose_code(exit_code: int | None, *, failed: str = "migrate.failed") -> str:
    """The code of a migration that ended with this exit code, ``failed`` where it failed by itself."""
    if exit_code in _NOT_RUN:
        return "migrate.program_missing"
    return "migrate.killed" if exit_code in _KILLED else failed


def explain_exit(exit_code: int | None) -> str:
    """What an exit code says beside its number; empty where it says nothing."""
    if exit_code in _NOT_RUN:
        return " The image has no such program, or it cannot be run: look at `migrate:` in the plan."
    if exit_code in _KILLED:
        return " It was killed: by the kernel for want of memory, or by somebody."
    return ""


def job_name(run_id: str) -> str:
    """Name of a run's migration container."""
    return f"upgrade-orchestrator-migrate-{run_id}"


def migration_log(ctx: StateContext[Any]) -> Path:
    """The file that keeps all that a run's migration said."""
    return ctx.directory / "migrate.log"


def save_and_remove(workloads: Workloads, name: str, log: Path) -> tuple[str, str]:
    """Save the log of a migration that is over and remove its container; return its last lines, and what failed.

    The verdict is known by then: a log or a container that stays is told, and is no reason to go back.
    """
    try:
        tail = workloads.save_job_log(name, log)
    except StateError as error:
        return "", f"Its log could not be saved, so its container {name} is kept: {error.summary}"
    try:
        workloads.remove_job(name)
    except StateError as error:
        return tail, f"Its container {name} could not be removed: {error.summary}"
    return tail, ""


def remove_leftover(ctx: StateContext[Any]) -> None:
    """Save and remove a migration that is over and was not removed, as the engine went away while it was created."""
    name = job_name(ctx.run_id)
    if ctx.ports.workloads.inspect_job(name) is not None:
        save_and_remove(ctx.ports.workloads, name, migration_log(ctx))
