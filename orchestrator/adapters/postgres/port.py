"""Where the server inside a container listens: its programs look at the usual place and nowhere else."""

from collections.abc import Mapping

from orchestrator.adapters.docker.container_exec import ContainerExec

_USUAL_DATA = "/var/lib/postgresql/data"
_USUAL_PORT = "5432"
_USUAL_FOLDERS = ("/var/run/postgresql", "/run/postgresql")
_WITHIN_S = 20.0
_PORT_LINE, _SOCKET_LINE, _STATUS_LINE = 3, 4, 7
_LISTENING = ("ready", "standby")


def find_other_place(executor: ContainerExec) -> Mapping[str, str]:
    """The variables by which a client in the container finds the server; empty where it needs none, or is not up.

    A server writes port and socket folder into its data directory, wherever they were set: on its command line, in a
    file or in its environment. Raises as `ContainerExec.run`.
    """
    environment = executor.read_environment()
    data = environment.get("PGDATA") or _USUAL_DATA
    within = executor.allow(_WITHIN_S, "Reading where the database server listens")
    outcome = executor.run(["cat", f"{data}/postmaster.pid"], deadline=within)
    return read_other_place(outcome.output.decode("utf-8", "replace"), environment) if outcome.exit_code == 0 else {}


def read_other_place(text: str, environment: Mapping[str, str]) -> Mapping[str, str]:
    """The same from the text of ``postmaster.pid`` and the variables that a client in the container has anyway."""
    lines = [line.strip() for line in text.splitlines()]
    if len(lines) <= _STATUS_LINE or lines[_STATUS_LINE] not in _LISTENING or not lines[_PORT_LINE].isdigit():
        return {}  # while it starts, it has not said all of it
    port, folder = lines[_PORT_LINE], lines[_SOCKET_LINE] or "127.0.0.1"
    tried = environment.get("PGHOST") or _USUAL_FOLDERS[0]
    is_usual = folder == tried or (folder in _USUAL_FOLDERS and tried in _USUAL_FOLDERS)
    if port == (environment.get("PGPORT") or _USUAL_PORT) and is_usual:
        return {}
    return {"PGPORT": port, "PGHOST": folder}
