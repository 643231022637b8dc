"""Each way to write to a database is noticed, or nothing is claimed, which the copy answers: never "untouched"."""

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress

import docker
import psycopg
import pytest

from deploy.demo.images import ensure_base_images
from orchestrator.adapters.docker.container_exec import ContainerExec
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.adapters.postgres import change_token, proof
from orchestrator.adapters.postgres.model import PgChangeToken
from orchestrator.adapters.postgres.server import Postgres
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DatabaseError
from orchestrator.core.model.stores import Changes
from tests.engine.ways_to_write import BESIDE, CONTENTS, UPKEEP, WRITES, Way

pytestmark = pytest.mark.docker

SETTINGS = ("max_prepared_transactions=9", "wal_log_hints=on", "wal_level=logical", "fsync=off")


class Server:
    """A PostgreSQL server: psycopg reaches it as an app would, ``database`` as an upgrade does."""

    def __init__(self, client: docker.DockerClient, image: str) -> None:
        self.project = f"test-proof-{secrets.token_hex(4)}"
        self.executor = ContainerExec(lambda: client, lambda: self.project, "db")
        self.database = Postgres(self.executor, "owner", "app0")
        self.container = client.containers.run(
            image,
            ["postgres", *(word for setting in SETTINGS for word in ("-c", setting))],
            detach=True,
            name=self.project,
            tmpfs={"/var/lib/postgresql/data": ""},
            environment={"POSTGRES_USER": "owner", "POSTGRES_PASSWORD": "p", "POSTGRES_DB": "app0"},
            labels={
                "com.docker.compose.project": self.project,
                "com.docker.compose.service": "db",
                "com.docker.compose.oneoff": "False",
            },
        )

    def await_up(self) -> None:
        allow(60).poll(self._find_up, every_s=0.1)

    def _find_up(self) -> bool | None:
        try:
            self.connect("postgres").close()
        except (psycopg.OperationalError, KeyError):
            return None
        return True

    def find_checkpointer(self) -> object:
        """The process that writes checkpoints; None while the server lets nobody in."""
        asked = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
        with suppress(psycopg.OperationalError), self.connect("postgres") as session:
            return (session.execute(asked).fetchone() or (None,))[0]
        return None

    def connect(self, name: str) -> psycopg.Connection[tuple[object, ...]]:
        self.container.reload()
        address = self.container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        return psycopg.connect(
            host=address, dbname=name, user="owner", password="p", autocommit=True, connect_timeout=5
        )

    def run(self, name: str, *statements: str) -> None:
        with self.connect(name) as session:
            for statement in statements:
                session.execute(statement.encode())


class Upgrade:
    """What an upgrade does with a database: it is closed and marked, opened to a migration, and closed again."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.database, self.name = server, server.database, name
        self.mark = self._close_and_mark()

    def play(self, way: Way) -> None:
        self.database.unfence(self.name)
        for place, text in ((self.name, way.text), ("app0", way.beside.format(name=self.name))):
            self._run(place, text.split(";\n") if text else [])

    def find_changes(self) -> Changes:
        self.close()
        return self.database.changes(self.name, self.mark)

    def close(self) -> None:
        self.database.fence(self.name)
        self.database.terminate_sessions(self.name)

    def _close_and_mark(self) -> PgChangeToken:
        self.close()
        return self.database.mark(self.name)

    def _run(self, place: str, statements: list[str]) -> None:
        session = self.server.connect(place)
        for statement in statements:
            match statement:
                case "\\connect":
                    session.close()
                    session = self.server.connect(place)
                case "\\mark":
                    session.close()
                    self.mark = self._close_and_mark()
                    self.database.unfence(self.name)
                    session = self.server.connect(place)
                case "\\dump":
                    Postgres(self.server.executor, "owner", self.name).dump(bytearray().extend, deadline=allow(60))
                case _:
                    session.execute(statement.encode())
        session.close()


def allow(seconds: float) -> Deadline:
    return Deadline(SystemClock(), seconds, what="The test")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    client = docker.from_env(timeout=60)
    server = Server(client, os.environ.get("PROOF_POSTGRES_IMAGE") or ensure_base_images().postgres)
    try:
        server.await_up()
        server.run("app0", *CONTENTS.split(";\n"))
        yield server
    finally:
        server.container.remove(force=True, v=True)
        client.close()


@pytest.fixture
def upgrade(server: Server) -> Iterator[Upgrade]:
    name = f"app_{secrets.token_hex(4)}"
    server.run("postgres", f"CREATE DATABASE {name} TEMPLATE app0")
    yield Upgrade(server, name)
    with suppress(DatabaseError):
        server.database.terminate_sessions(name)
        server.database.drop(name)


@pytest.fixture(scope="module")
def spare(server: Server) -> str:
    """One for all that leave it as it is; it goes with its server."""
    server.run("postgres", "CREATE DATABASE spare TEMPLATE app0")
    return "spare"


def titled(ways: tuple[Way, ...]) -> list[object]:
    return [pytest.param(way, id=way.title) for way in ways]


@pytest.mark.parametrize("way", titled(WRITES))
def test_a_write_is_never_called_untouched(upgrade: Upgrade, way: Way) -> None:
    try:
        upgrade.play(way)
        found = upgrade.find_changes()
    finally:
        upgrade.server.run("app0", *filter(None, way.undo.split(";\n")))
    assert found.finding == way.finding, found
    assert set(way.beyond) <= set(found.beyond)


@pytest.mark.parametrize("way", titled(BESIDE))
def test_a_change_beside_the_database_is_named(server: Server, spare: str, way: Way) -> None:
    upgrade = Upgrade(server, spare)
    try:
        upgrade.play(way)
        found = upgrade.find_changes()
    finally:
        upgrade.server.run("app0", *filter(None, way.undo.split(";\n")))
    assert found.untouched, found
    assert found.beyond == way.beyond


@pytest.mark.parametrize("way", titled(UPKEEP))
def test_reading_and_tidying_up_is_no_write(server: Server, spare: str, way: Way) -> None:
    upgrade = Upgrade(server, spare)
    upgrade.play(way)
    found = upgrade.find_changes()
    assert found.untouched, found


def test_a_database_that_stayed_closed_is_proven_without_a_look_inside(upgrade: Upgrade) -> None:
    found = upgrade.database.changes(upgrade.name, upgrade.mark)
    assert (found.finding, found.reason) == ("untouched", "it was closed to everybody all the time")


def test_a_database_that_was_opened_and_written_to_behind_the_fence_is_not_proven(upgrade: Upgrade) -> None:
    allowed = f"ALTER DATABASE {upgrade.name} ALLOW_CONNECTIONS"
    upgrade.server.run("app0", f"{allowed} true")
    upgrade.server.run(upgrade.name, "SET track_counts = off", "INSERT INTO entries VALUES (0)")
    upgrade.server.run("app0", f"{allowed} false")
    assert upgrade.database.changes(upgrade.name, upgrade.mark).finding == "written"


def test_a_write_that_waits_for_its_commit_as_the_mark_is_taken_proves_nothing(upgrade: Upgrade) -> None:
    upgrade.database.unfence(upgrade.name)
    upgrade.server.run(upgrade.name, "BEGIN", "INSERT INTO entries VALUES (0)", "PREPARE TRANSACTION 'waits'")
    upgrade.close()
    mark = upgrade.database.mark(upgrade.name)
    upgrade.database.unfence(upgrade.name)
    upgrade.server.run(upgrade.name, "COMMIT PREPARED 'waits'")
    upgrade.close()
    assert not upgrade.database.changes(upgrade.name, mark).untouched


def test_a_session_that_writes_while_it_is_shut_out_is_noticed(upgrade: Upgrade) -> None:
    upgrade.database.unfence(upgrade.name)
    with upgrade.server.connect(upgrade.name) as session:
        upgrade.database.fence(upgrade.name)
        session.execute("INSERT INTO entries VALUES (0)")
        upgrade.database.terminate_sessions(upgrade.name)
        assert upgrade.database.changes(upgrade.name, upgrade.mark).finding == "written"


def test_a_database_of_the_same_name_is_another_one(upgrade: Upgrade) -> None:
    upgrade.server.run("app0", f"DROP DATABASE {upgrade.name}", f"CREATE DATABASE {upgrade.name} TEMPLATE app0")
    upgrade.close()
    found = upgrade.database.changes(upgrade.name, upgrade.mark)
    assert (found.finding, found.reason) == ("written", "it is another database under the same name")


def test_what_the_log_leaves_out_is_not_proven_where_it_is_too_much_to_read(upgrade: Upgrade) -> None:
    upgrade.play(Way("many rows", "INSERT INTO scratch SELECT n FROM generate_series(1, 300000) n;\n\\mark;\nSELECT"))
    found = upgrade.find_changes()
    assert (found.finding, found.reason) == ("unproven", "it has tables that the server's log leaves out")


@pytest.mark.parametrize(
    ("place", "attribute", "value"),
    [
        pytest.param(proof, "_LONGEST_BYTES", 0, id="it is too long"),
        pytest.param(
            change_token,
            "build_directories",
            lambda: """SELECT json_build_object('programs', '/nowhere', 'log', '/nowhere');""",
            id="there is no reader",
        ),
        pytest.param(
            change_token,
            "build_directories",
            lambda: (
                "SELECT json_build_object('log', '/', 'programs',"
                " (SELECT setting FROM pg_config() WHERE name = 'BINDIR'));"
            ),
            id="it is not there any more",
        ),
    ],
)
def test_a_log_that_cannot_be_read_proves_nothing(
    upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch, place: object, attribute: str, value: object
) -> None:
    monkeypatch.setattr(place, attribute, value)
    upgrade.play(Way("nothing"))
    found = upgrade.find_changes()
    assert found.finding == "unproven"
    assert "the server's log could not be read" in found.reason
    assert "perhaps other databases" in found.beyond[-1]


def test_a_crash_of_the_server_proves_nothing_though_it_goes_on_by_itself(upgrade: Upgrade) -> None:
    upgrade.play(Way("a write", "INSERT INTO entries VALUES (0);\nINSERT INTO scratch VALUES (3)"))
    checkpointer = upgrade.server.find_checkpointer()
    assert upgrade.server.container.exec_run(["bash", "-c", f"kill -9 {checkpointer}"]).exit_code == 0
    # It lets clients in for a moment before it notices.
    allow(60).poll(lambda: upgrade.server.find_checkpointer() not in (None, checkpointer) or None, every_s=0.1)
    changes = upgrade.find_changes()
    assert (changes.finding, changes.restarted) == ("unproven", True)
