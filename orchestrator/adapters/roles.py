"""Roles of one server given to another, their password hashes with them: in memory only, never in a file or log."""

from __future__ import annotations

from orchestrator.adapters.container_exec import ContainerExec
from orchestrator.adapters.psql import Psql
from orchestrator.deadline import Deadline
from orchestrator.errors import DatabaseError

# A statement of a failed or logged command would take the hash into the log of the server.
_SILENT = "-c log_statement=none -c log_min_error_statement=panic -c log_min_duration_statement=-1"


def copy_roles(source: ContainerExec, user: str | None, target: ContainerExec, *, deadline: Deadline) -> None:
    """Create all roles of ``source`` on ``target``, read as the superuser ``user`` (None: as it was set up).

    Roles that are there already fail to be created and get their attributes all the same.

    Raises:
        DatabaseError: ``database.roles_failed``: the roles could not be read, or nothing could be run;
            ``database.full``, ``database.unreachable``: the server let nobody in.
    """
    reader = Psql(source, user, None)
    read = source.run(["pg_dumpall", "--roles-only", "-w", "-U", reader.account()[0]], deadline=deadline)
    if reader.has_lost(read):
        reader.refuse(read, reader.maintenance(), "database.roles_failed")
    # What an error says may quote what was read, so none of it is passed on.
    if read.exit_code != 0:
        raise DatabaseError(
            "database.roles_failed", f"pg_dumpall could not read the roles (exit code {read.exit_code})."
        )
    maker = Psql(target, None, None)
    argv = ["psql", "-X", "-q", "-w", "-U", maker.account()[0], "-d", maker.maintenance()]
    made = target.run(
        argv, stdin=[read.output], deadline=deadline, environment={"PGOPTIONS": _SILENT, "PGCLIENTENCODING": "UTF8"}
    )
    if made.exit_code != 0:
        raise DatabaseError(
            "database.roles_failed", f"The roles could not be created on the other server (exit code {made.exit_code})."
        )
