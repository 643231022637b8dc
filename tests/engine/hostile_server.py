"""A PostgreSQL server in a container with a hostile owner of a database: planting tricks, and seeing what they got."""

from __future__ import annotations

from deploy.demo.commands import run_command
from deploy.demo.images import BASE_IMAGES_TIMEOUT_S, DEMO, ensure_base_images
from orchestrator.adapters.docker.container_exec import ContainerExec, ExecResult
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline
from tests.engine.hostile_database import CANARY, LOADED, SETTINGS, TRAPS, plant

RIGHTS = """SELECT json_build_array(
  (SELECT json_agg(to_jsonb(a) ORDER BY rolname) FROM pg_authid a),
  (SELECT json_agg(json_build_array(roleid::regrole, member::regrole, admin_option) ORDER BY roleid, member)
    FROM pg_auth_members),
  (SELECT json_agg(json_build_array(datname, datdba::regrole, datacl) ORDER BY datname) FROM pg_database
    WHERE datname !~ '^(copy|aside|restored)|__'),
  (SELECT json_agg(json_build_array(setdatabase, setrole, setconfig) ORDER BY 1, 2) FROM pg_db_role_setting
    WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = 'postgres'))))"""
FILES = ["find", "/tmp", "/etc", "/root", "/var/lib/postgresql/data", "-maxdepth", "1", "-printf", "%p %u %m\n"]
CARELESS = "-c statement_timeout=0 -c local_preload_libraries= -c role=none -c default_transaction_read_only=off"
CAREFUL = f"{CARELESS} -c search_path=pg_catalog,public -c exit_on_error=off -c standard_conforming_strings=on"


POWERLESS = "plain"
"""A role without rights of its own."""


class HostileServer:
    """A server by its container, and the superuser whom our programs are."""

    def __init__(self, executor: ContainerExec, superuser: str) -> None:
        self.executor = executor
        self.superuser = superuser

    def psql(self, text: str, database: str = "postgres", user: str = "", *, careless: bool = False) -> ExecResult:
        argv = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", user or self.superuser, "-d", database]
        application, options = ("upgrade-orchestrator-x", CARELESS) if careless else ("setup", CAREFUL)
        environment = {"PGAPPNAME": application, "PGCLIENTENCODING": "UTF8", "PGOPTIONS": options}
        return self.executor.run(argv, stdin=[text.encode()], deadline=allow(60), environment=environment)

    def change(self, text: str, database: str = "postgres", user: str = "") -> str:
        outcome = self.psql(text, database, user)
        assert outcome.exit_code == 0, (text, outcome.errors)
        return outcome.output.decode().strip()

    def version(self) -> int:
        return int(self.change("SHOW server_version_num;")) // 10000

    def state(self) -> tuple[str, list[str]]:
        """Everybody's rights, and the files that a trick could leave."""
        files = self.executor.run(FILES, deadline=allow(30)).output.decode().splitlines()
        return self.change(RIGHTS), sorted(line for line in files if "/pgsql_tmp" not in line)

    def fired(self) -> set[str]:
        found = self.executor.run(["sh", "-c", f"ls {CANARY}*"], deadline=allow(30)).output.decode().split()
        return {name.removeprefix(CANARY) for name in found}


def allow(seconds: float) -> Deadline:
    return Deadline(SystemClock(), seconds, what="The test")


def find_image(version: int) -> str:
    if version == 15:
        return ensure_base_images().postgres
    script = str(DEMO / "setup" / f"postgres_{version}.sh")
    return run_command([script], timeout_s=BASE_IMAGES_TIMEOUT_S).strip().removeprefix("POSTGRES_IMAGE=")


def lay_out(server: HostileServer, role: str, *, mighty: bool) -> None:
    """A database of that role with every trick in it, and what its owner can put into the one for maintenance."""
    server.change(f"CREATE ROLE {role} LOGIN {'SUPERUSER' if mighty else ''};")
    server.change(f"CREATE DATABASE {role} OWNER {role};")
    server.change(f"GRANT CREATE ON SCHEMA public TO {role};")  # as before PostgreSQL 15
    tricks = list(plant(role, mighty=mighty, version=server.version()))
    server.change(";\n".join(text for _, text in tricks) + ";", role, role)
    server.change(TRAPS.format(role=role), role)
    shadows = [text.replace("public.", f"{role}.") for name, text in tricks if name not in dict(LOADED)][:-1]
    server.change(f"CREATE SCHEMA {role} AUTHORIZATION {role};")
    for text in shadows:
        if "event" not in text.lower():
            server.psql(text + ";", "postgres", role)
    if mighty:
        server.change(f"ALTER ROLE {server.superuser} SET search_path = {role}, public, pg_catalog;", "postgres", role)
        server.change(f"ALTER DATABASE postgres SET role = '{POWERLESS}';", "postgres", role)
    for setting in SETTINGS:
        server.change(f"ALTER DATABASE {role} SET {setting.format(role=role)};", "postgres", role)
