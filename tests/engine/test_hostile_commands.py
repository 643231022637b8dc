"""Whole commands on an app whose own role has put more than forty tricks into the database: nobody gains by them."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest
import yaml

from deploy.demo.bed import Bed
from orchestrator.adapters.docker.container_exec import ContainerExec
from tests.engine.hostile_server import POWERLESS, HostileServer, find_image, lay_out
from tests.engine.installation import Ended, Installation, build_ledger_plan, orchestrator

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

OLD, NEW, BAD = "1.0.0", "1.1.0", "1.2.0"  # the migration of the last one fails
PASSWORD = "of-a-test"
OWN = (
    "statement_timeout = 0",
    "role = none",
    "default_transaction_read_only = off",
    "search_path = public",
    "standard_conforming_strings = on",
    "client_encoding = 'UTF8'",
    "bytea_output = 'hex'",
    "row_security = on",
    "exit_on_error = off",
)
CASES = [
    pytest.param(15, POWERLESS),
    pytest.param(15, "mighty", marks=pytest.mark.soak),
    pytest.param(17, POWERLESS, marks=pytest.mark.soak),
    pytest.param(17, "mighty", marks=pytest.mark.soak),
]


class HostileApp:
    """An installation whose app has a role and a database of its own, with every trick in it."""

    def __init__(self, bed: Bed, version: int, role: str) -> None:
        self.role = role
        self.host = bed.host(OLD)
        compose = self.host.folder / "docker-compose.yml"
        compose.write_text(compose.read_text(encoding="utf-8").replace(self.host.postgres_image, find_image(version)))
        address = f"postgresql://{role}:{PASSWORD}@db:5432/{role}"
        override = {"services": {"app": {"environment": {"DATABASE_URL": address}}}}
        (self.host.folder / "docker-compose.override.yml").write_text(yaml.safe_dump(override))
        self.installation = Installation(self.host, bed.feed(OLD, NEW, BAD), self.host.folder / "plan.yaml")
        self.host.up("db")
        client: docker.DockerClient = self.host.client
        self.server = HostileServer(ContainerExec(lambda: client, lambda: self.host.project, "db"), "ledger")
        assert self.server.version() == version
        if role != POWERLESS:
            self.server.change(f"CREATE ROLE {POWERLESS};")
        lay_out(self.server, role, mighty=role != POWERLESS)
        self.server.change(f"ALTER ROLE {role} PASSWORD '{PASSWORD}';")
        # An app that nobody can connect to cannot be upgraded either.
        self.server.change(f"ALTER DATABASE {role} RESET local_preload_libraries;")
        for setting in OWN:  # what the role has left in the database is meant for others
            self.server.change(f"ALTER ROLE {role} IN DATABASE {role} SET {setting};")
        self.host.migrate()
        self.host.up()

    def write_plan(self, *, rehearsed: bool) -> str:
        """The standard plan for this database."""
        document = build_ledger_plan(self.host, self.installation.feed, "upgrade.yaml", rehearsed=rehearsed)
        document["database"] = {"service": "db", "name": self.role}
        self.installation.plan.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return str(self.installation.plan)


def cause_of(ended: Ended) -> object:
    failure = ended.document["failure"]
    assert isinstance(failure, dict)
    return failure["code"]


def newest(folder: Path) -> str:
    return str(max(folder.glob("*.sql.gz"), key=lambda path: path.stat().st_mtime_ns))


@pytest.mark.parametrize(("version", "role"), CASES)
def test_nobody_gains_by_any_command(ledger_bed: Bed, version: int, role: str) -> None:
    app = HostileApp(ledger_bed, version, role)
    before = app.server.state()

    def command(*words: str) -> Ended:
        ended = orchestrator(*words, "--json")
        assert app.server.fired() == set(), words
        assert app.server.state() == before, words
        return ended

    plan = app.write_plan(rehearsed=True)
    kept_out = command("run", plan, "--force", "--version", f"v{NEW}")
    assert (kept_out.exit_code, cause_of(kept_out)) == (10, "database.read_only"), kept_out.said
    app.server.change(f"ALTER DATABASE {role} RESET default_transaction_read_only;")
    committed = command("run", plan, "--force", "--version", f"v{NEW}")
    assert committed.exit_code == 0, committed.said
    back = command("rollback", plan, "--force")
    assert back.exit_code == 0, back.said
    refused = command("run", plan, "--force", "--version", f"v{BAD}")
    assert refused.exit_code == 10, refused.said
    plan = app.write_plan(rehearsed=False)
    rolled_back = command("run", plan, "--force", "--retry", "--version", f"v{BAD}")
    assert rolled_back.exit_code == 20, rolled_back.said
    file = newest(app.host.folder / "backups")
    verified = command("backups", "verify", file, "--plan", plan)
    assert verified.exit_code == 0, verified.said
    restored = command("backups", "restore", file, "--plan", plan, "--force")
    assert restored.exit_code == 0, restored.said
    # The tricks are real ones, after all of this too: who asks without care is caught.
    app.server.psql("SELECT count(*) FROM pg_class WHERE relname = 'checked'::name;", role, careless=True)
    assert app.server.fired()
