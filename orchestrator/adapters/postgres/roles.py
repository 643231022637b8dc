"""Roles of one server given to another, their password hashes with them: in memory only, never in a file or log."""

from orchestrator.adapters.docker.container_exec import ContainerExec
from orchestrator.adapters.postgres import programs
from orchestrator.adapters.postgres.psql import Psql
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DatabaseError


def copy_roles(source: ContainerExec, user: str | None, target: ContainerExec, *, deadline: Deadline) -> None:
    """Create all roles of ``source`` on ``target``, read as the superuser ``user`` (None: as it was set up).

    Roles that are there already fail to be created and get their attributes all the same.

    Raises:
        DatabaseError: ``database.client``: names of roles could put commands into what is read;
            ``database.roles_failed``: the roles could not be read, or nothing could be run;
            ``database.full``, ``database.unreachable``: the server let nobody in.
    """
    reader = Psql(source, user, None)
    reader.require_fixed_client()
    dumping = programs.build_roles_dump(reader.account()[0])
    read = source.run(dumping, deadline=deadline, environment=reader.environment())
    if reader.has_lost(read):
        reader.refuse(read, reader.maintenance(), "database.roles_failed")
    # What an error says may quote what was read, so none of it is passed on.
    if read.exit_code != 0:
        raise DatabaseError(
            "database.roles_failed", f"pg_dumpall could not read the roles (exit code {read.exit_code})."
        )
    maker = Psql(target, None, None)
    argv = programs.build_psql(maker.account()[0], maker.maintenance(), "-v", "ON_ERROR_STOP=0")
    made = target.run(
        argv, stdin=[read.output], deadline=deadline, environment=maker.environment(more=programs.UNLOGGED)
    )
    if made.exit_code != 0:
        raise DatabaseError(
            "database.roles_failed", f"The roles could not be created on the other server (exit code {made.exit_code})."
        )
