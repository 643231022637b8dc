"""Every question and every copy of ours, in a database whose owner has put more than forty tricks in the way."""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from orchestrator.adapters.backups.archive import BackupFolder
from orchestrator.adapters.docker.container_exec import ContainerExec
from orchestrator.adapters.postgres.roles import copy_roles
from orchestrator.adapters.postgres.server import Postgres
from orchestrator.core.errors import DatabaseError
from orchestrator.core.model.progress import Progress
from tests.engine.hostile_server import HostileServer, allow, find_image, lay_out

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

DUE = {
    *("names_equal", "texts_join", "names_match", "oid_at_least", "shadow_pg_get_userbyid", "shadow_current_setting"),
    *("step_count", "pg_class", "check", "domain", "generated", "index", "circle", "cast", "materialized"),
    *("bounds", "trapped", "excluded", "unlogged"),
}
"""What fires where questions are asked and dumps are loaded without any care: so the tricks are real ones."""


class Server(HostileServer):
    """One server with both kinds of hostile databases, each of a role of its own."""

    def __init__(self, client: docker.DockerClient, image: str) -> None:
        self.project = f"test-hostile-{secrets.token_hex(4)}"
        super().__init__(ContainerExec(lambda: client, lambda: self.project, "db"), "owner")
        self.container = client.containers.run(
            image,
            detach=True,
            name=self.project,
            tmpfs={"/var/lib/postgresql/data": ""},
            environment={"POSTGRES_USER": "owner", "POSTGRES_PASSWORD": "p", "POSTGRES_DB": "first"},
            labels={
                "com.docker.compose.project": self.project,
                "com.docker.compose.service": "db",
                "com.docker.compose.oneoff": "False",
            },
        )


def ignore(progress: Progress) -> None:
    del progress


@pytest.fixture(scope="module", params=[15, pytest.param(17, marks=pytest.mark.soak)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    client = docker.from_env(timeout=60)
    server = Server(client, find_image(request.param))
    try:
        ready = ["pg_isready", "-q", "-h", "127.0.0.1"]
        allow(60).poll(lambda: server.executor.run(ready, deadline=allow(10)).exit_code == 0 or None, every_s=0.2)
        assert server.version() == request.param
        for role, mighty in (("plain", False), ("mighty", True)):
            lay_out(server, role, mighty=mighty)
        yield server
    finally:
        server.container.remove(force=True, v=True)
        client.close()


def dumped(database: Postgres) -> bytes:
    found = bytearray()
    database.dump(found.extend, deadline=allow(60))
    return bytes(found)


@pytest.mark.parametrize("role", ["plain", "mighty"])
def test_nobody_gains_and_nothing_is_left_whatever_the_owner_of_a_database_has_planted(
    server: Server, role: str, tmp_path: Path
) -> None:
    before = server.state()
    database = Postgres(server.executor, "owner", role)
    ask_everything(database, role)
    folder = BackupFolder(tmp_path / "backups")
    path, _, _ = folder.write("a.sql.gz", lambda w: database.dump(w, deadline=allow(60)), report=ignore)
    proof = folder.prove(path, report=ignore, deadline=allow(60))
    assert database.rows(role, deadline=allow(60)) == proof.rows
    copy_and_swap(database, role)
    database.restore(folder.read(path), "restored", like=database.properties(role), deadline=allow(120))
    assert database.rows("restored", deadline=allow(60)) == proof.rows
    again, once = (
        re.sub(rb"\\(un)?restrict \w+", b"", dumped(Postgres(server.executor, "owner", name)))
        for name in ("restored", role)
    )
    assert again == once
    assert trusted_word(server, role, "restored") == "theirs"
    copy_roles(server.executor, "owner", server.executor, deadline=allow(60))
    database.drop("restored")
    assert server.fired() == set()
    assert server.state() == before


def ask_everything(database: Postgres, role: str) -> None:
    facts = database.inspect()
    assert (facts.name, facts.owner) == (role, role)
    assert database.read_system_identifier() == facts.system_identifier
    assert role in database.sizes()
    assert database.sessions(role) == ()
    assert database.inspect_load(role).prepared == ()
    assert database.properties(role).owner == role
    assert database.inventory(role, deadline=allow(60)).relations
    assert database.mark(role) is not None
    assert database.rows(role, deadline=allow(60))["public.checked"] == 1
    assert database.longest_lock_s(role) == 0
    assert database.terminate_sessions(role) == 0
    database.end_abandoned()


def copy_and_swap(database: Postgres, role: str) -> None:
    database.copy(role, "copy", deadline=allow(60))
    assert database.rows("copy", deadline=allow(60)) == database.rows(role, deadline=allow(60))
    assert database.mark("copy") is not None
    database.fence(role)
    database.swap(role, "copy", "aside")
    database.unfence(role)
    database.swap(role, "aside", "copy")
    database.drop("copy")


def trusted_word(server: Server, role: str, database: str) -> str:
    return server.change(f"SET search_path = pg_catalog; SET ROLE owner; SELECT public.trusted_{role}();", database)


def test_a_foreign_dump_gains_nothing_by_what_only_a_superuser_can_make(server: Server) -> None:
    before = server.state()
    database = Postgres(server.executor, "owner", "plain")
    head, tail = b"SET standard_conforming_strings = on;\n", b"-- PostgreSQL database dump complete\n"
    for text in (
        b"GRANT owner TO plain;\n",
        b"CREATE FUNCTION public.f() RETURNS integer\n    LANGUAGE internal\n    AS 'x';\n",
        b"CREATE EXTENSION IF NOT EXISTS adminpack;\n",
        b"COPY (SELECT 1) TO PROGRAM 'touch /tmp/canary-program';\n",
        b"ALTER ROLE plain SUPERUSER;\n",
        b"SELECT public.x();\n\\! touch /tmp/canary-command\n;\n",
        b"SET SESSION AUTHORIZATION owner;\nCOPY (SELECT 1) TO PROGRAM 'touch /tmp/canary-session';\n",
        b"SELECT lo_export(lo_from_bytea(0, 'x'), '/tmp/canary-export');\n",
    ):
        with pytest.raises(DatabaseError) as caught:
            database.restore(
                [head, text, tail], "restored", like=database.properties("plain"), deadline=allow(60), proven=False
            )
        assert caught.value.code == "database.restore_failed", text
    assert "restored" not in database.sizes()
    assert server.fired() == set()
    assert server.state() == before


# Last, for it leaves a server that nobody would want.
def test_the_tricks_work_on_who_asks_and_loads_without_care(server: Server) -> None:
    dump = dumped(Postgres(server.executor, "owner", "plain"))
    server.change("CREATE DATABASE careless OWNER plain;")
    for question in (
        "SELECT datname FROM pg_catalog.pg_database WHERE datname = 'x'::name",
        "SELECT relname::text || 'x'::text FROM pg_catalog.pg_class",
        "SELECT relname FROM pg_catalog.pg_class WHERE relname !~ '^pg_'::text",
        "SELECT relname FROM pg_catalog.pg_class WHERE oid >= 16384::oid",
        "SELECT pg_get_userbyid(10::oid)",
        "SELECT current_setting('port'::text)",
        "SELECT relname FROM pg_class",
        "SELECT count(*) FROM pg_catalog.pg_class",
        "SELECT count(*) FROM public.checked",
        "SELECT count(*) FROM public.unlogged",
    ):
        server.psql(question + ";", "plain", careless=True)
    loading = dump.replace(b"\\restrict", b"--").replace(b"\\unrestrict", b"--").decode()
    load = server.psql("\\set ON_ERROR_STOP 0\n" + loading, "careless", careless=True)
    missing = DUE - {name.removeprefix("reset-").removeprefix("lo-") for name in server.fired()}
    assert not missing, load.errors[:2000]
    assert "canary" in str(server.state()[1])
