import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import docker
import pytest

from deploy.demo.images import ensure_base_images
from orchestrator.adapters.backups.archive import BackupFolder
from orchestrator.adapters.docker.container_exec import ContainerExec
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.adapters.postgres.dump_scan import DumpScanner
from orchestrator.adapters.postgres.psql import Psql
from orchestrator.adapters.postgres.server import Postgres
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DatabaseError, DeadlineExceededError
from orchestrator.core.model.progress import Progress

pytestmark = pytest.mark.docker

ROLES = r"""
CREATE ROLE keeper; CREATE ROLE reader; CREATE ROLE passer;
CREATE DATABASE app OWNER keeper;
REVOKE CONNECT ON DATABASE app FROM PUBLIC;
GRANT CONNECT ON DATABASE app TO reader;
GRANT CREATE ON DATABASE app TO passer WITH GRANT OPTION;
ALTER DATABASE app CONNECTION LIMIT 42;
ALTER DATABASE app SET search_path TO "$user", public, "Odd Schema";
ALTER DATABASE app SET app.motto TO 'it''s = \\ fine';
ALTER ROLE reader IN DATABASE app SET work_mem TO '8MB';
COMMENT ON DATABASE app IS E'it''s\n\\! kept';
"""
TABLES = r"""
CREATE EXTENSION IF NOT EXISTS plpgsql;
CREATE TABLE public.entries (id bigint PRIMARY KEY, note text);
INSERT INTO public.entries SELECT n, E'line\n\\.\nCOPY x FROM stdin;' FROM generate_series(1, 1000) n;
CREATE TABLE public.parted (id int, kind text) PARTITION BY LIST (kind);
CREATE TABLE public.parted_a PARTITION OF public.parted FOR VALUES IN ('a');
CREATE TABLE public.parted_b PARTITION OF public.parted FOR VALUES IN ('b');
INSERT INTO public.parted SELECT n, CASE WHEN n % 3 = 0 THEN 'a' ELSE 'b' END FROM generate_series(1, 30) n;
CREATE UNLOGGED TABLE public.unlogged AS SELECT 1 AS a;
CREATE TABLE public.parent (a int); CREATE TABLE public.child (b int) INHERITS (public.parent);
INSERT INTO public.parent VALUES (1); INSERT INTO public.child VALUES (1, 2), (3, 4);
CREATE TABLE public.no_columns (); INSERT INTO public.no_columns DEFAULT VALUES;
CREATE SCHEMA "Odd Schema"; CREATE TABLE "Odd Schema"."a.""b" ("x y" int); INSERT INTO "Odd Schema"."a.""b" VALUES (1);
CREATE MATERIALIZED VIEW public.seen AS SELECT * FROM public.entries;
CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $$
SELECT '
COPY public.fake (a) FROM stdin;
'::text $$;
GRANT SELECT ON public.entries TO reader;
ALTER TABLE public.entries OWNER TO keeper;
"""
PROPERTIES = """SELECT json_build_array(pg_get_userbyid(datdba), datacl::text, datconnlimit, datcollate, datctype,
  shobj_description(oid, 'pg_database'), encoding,
  (SELECT json_agg(json_build_array(setrole::regrole::text, setconfig) ORDER BY setrole)
    FROM pg_db_role_setting WHERE setdatabase = d.oid)) FROM pg_database d WHERE datname = '{}';"""


class Server:
    """A container with the labels that Compose gives, and a plain way into it."""

    def __init__(self, client: docker.DockerClient, image: str) -> None:
        self.project = f"test-postgres-{secrets.token_hex(4)}"
        self.client = client
        self.executor = ContainerExec(lambda: client, lambda: self.project, "db")
        self.container = client.containers.run(
            image,
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

    def psql(self, text: str, database: str = "postgres") -> str:
        argv = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "owner", "-d", database]
        outcome = self.executor.run(argv, stdin=[text.encode()], deadline=allow(60))
        assert outcome.exit_code == 0, outcome.errors
        return outcome.output.decode().strip()


def allow(seconds: float) -> Deadline:
    return Deadline(SystemClock(), seconds, what="The test")


def ignore(progress: Progress) -> None:
    del progress


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    image = ensure_base_images().postgres
    client = docker.from_env(timeout=60)
    server = Server(client, image)
    try:
        ready = ["pg_isready", "-q", "-h", "127.0.0.1"]
        allow(60).poll(lambda: server.executor.run(ready, deadline=allow(10)).exit_code == 0 or None, every_s=0.2)
        server.psql(ROLES)
        server.psql(TABLES, "app")
        yield server
    finally:
        server.container.remove(force=True, v=True)
        client.close()


@pytest.fixture
def database(server: Server) -> Iterator[Postgres]:
    database = Postgres(server.executor, None, "app")
    yield database
    for name in ("copy", "restored", "aside"):
        with suppress(DatabaseError):
            database.terminate_sessions(name)
        database.drop(name)


@pytest.fixture(params=["pipe", "engine"])
def way(request: pytest.FixtureRequest, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """How a dump comes out of the container; nothing is left in there of either."""
    way = str(request.param)
    if way == "engine":
        monkeypatch.setattr(server.executor, "piped", nullcontext)
    else:
        with server.executor.piped() as pipe:
            assert (pipe is not None) == (os.geteuid() == 0)
    yield way
    assert server.executor.run(["ls", "/tmp"], deadline=allow(10)).output == b""


def dumped(database: Postgres) -> bytes:
    found = bytearray()
    database.dump(found.extend, deadline=allow(60))
    return bytes(found)


def schema(dump: bytes) -> bytes:
    return re.sub(rb"\\(un)?restrict \w+", b"", dump)


def test_questions_share_a_session_that_leaves_when_nobody_asks_any_more(server: Server) -> None:
    here = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'upgrade-orchestrator-%'"
    asker = Psql(server.executor, "owner", "app")
    first = asker.ask("SELECT pg_backend_pid();", "postgres")
    assert asker.ask("SELECT pg_backend_pid();", "postgres") == first
    assert server.psql(here) == "1"
    server.psql(f"SELECT pg_terminate_backend({first});")
    assert asker.ask("SELECT 1;\nSELECT 2;", "postgres") == "1\n2"
    with pytest.raises(DatabaseError, match="division by zero"):
        asker.ask("SELECT 1 / 0;", "postgres")
    assert asker.ask("SELECT 1;", "app") != asker.ask("SELECT pg_backend_pid();", "postgres")
    del asker
    allow(30).poll(lambda: server.psql(here) == "0" or None, every_s=0.1)


def test_a_visit_to_another_database_leaves_nobody_there(server: Server) -> None:
    asker = Psql(server.executor, "owner", "app")
    home = asker.ask("SELECT pg_backend_pid();", "postgres")
    assert asker.ask("SELECT current_database();", "app") == "app"
    assert server.psql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'upgrade-%'") == "1"
    back = asker.ask("SELECT pg_backend_pid();", "postgres")
    assert back != home
    with pytest.raises(DatabaseError, match="division by zero"):
        asker.ask("SELECT 1 / 0;", "app")
    server.psql(f"SELECT pg_terminate_backend({asker.ask('SELECT pg_backend_pid();', 'postgres')});")
    done = asker.attempt("CREATE ROLE visited;", "postgres", allow(10))
    assert (done.exit_code, server.psql("DROP ROLE visited")) == (0, "")


def test_facts_are_those_of_the_server(server: Server, database: Postgres) -> None:
    facts = database.inspect()
    assert (facts.name, facts.owner) == ("app", "keeper")
    assert facts.system_identifier == server.psql("SELECT system_identifier FROM pg_control_system();")
    assert facts.server_version.startswith("15")
    assert facts.size_bytes == database.sizes()["app"]
    assert facts.free_bytes is not None
    assert facts.free_bytes > 0
    assert facts.server_began == database.mark("app").server_began, "a restart would be seen where there was none"


def test_names_default_to_those_of_the_container(server: Server) -> None:
    assert Postgres(server.executor, None, None).inspect().name == "app0"


def test_rows_equal_those_of_a_dump(database: Postgres) -> None:
    scanner = DumpScanner()
    scanner.feed(dumped(database))
    assert scanner.complete
    assert database.rows("app", deadline=allow(60)) == scanner.rows
    assert scanner.rows["public.parted_a"] == 10
    assert scanner.rows["public.no_columns"] == 1
    assert 'Odd Schema.a."b' in scanner.rows
    assert {"public.parted", "public.seen", "public.fake"}.isdisjoint(scanner.rows)


def test_a_copy_carries_all_that_the_database_has(server: Server, database: Postgres) -> None:
    database.copy("app", "copy", deadline=allow(60))
    assert server.psql(PROPERTIES.format("copy")) == server.psql(PROPERTIES.format("app"))
    assert database.rows("copy", deadline=allow(60)) == database.rows("app", deadline=allow(60))


@pytest.mark.usefixtures("way")
def test_a_restored_backup_equals_the_database(server: Server, database: Postgres, tmp_path: Path) -> None:
    folder = BackupFolder(tmp_path / "backups")
    path, sha256, _ = folder.write("a.sql.gz", lambda w: database.dump(w, deadline=allow(60)), report=ignore)
    proof = folder.prove(path, report=ignore, deadline=allow(60))
    database.restore(folder.read(path), "restored", like=database.properties("app"), deadline=allow(60))
    assert proof.sha256 == sha256
    assert database.rows("restored", deadline=allow(60)) == proof.rows
    assert server.psql(PROPERTIES.format("restored")) == server.psql(PROPERTIES.format("app"))
    again = dumped(Postgres(server.executor, None, "restored"))
    assert schema(again) == schema(dumped(database))


def test_a_cut_dump_is_refused_and_leaves_nothing(database: Postgres) -> None:
    dump = dumped(database)
    for at in (0, len(dump) // 2, dump.index(b"-- PostgreSQL database dump complete")):
        with pytest.raises(DatabaseError) as caught:
            database.restore([dump[:at]], "restored", like=database.properties("app"), deadline=allow(60))
        assert caught.value.code == "database.restore_failed"
        assert "restored" not in database.sizes()


def test_a_dump_that_fails_to_load_leaves_nothing(database: Postgres) -> None:
    dump = dumped(database).replace(b"CREATE TABLE public.entries", b"CREATE TABLE nowhere.entries")
    with pytest.raises(DatabaseError) as caught:
        database.restore([dump], "restored", like=database.properties("app"), deadline=allow(60))
    assert caught.value.code == "database.restore_failed"
    assert "nowhere" in caught.value.summary
    assert "restored" not in database.sizes()


def test_a_restore_that_is_too_slow_leaves_nothing(database: Postgres) -> None:
    dump = dumped(database).replace(b"SET lock_timeout = 0;", b"SELECT pg_sleep(60);")
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        database.restore([dump], "restored", like=database.properties("app"), deadline=allow(2))
    assert time.monotonic() - started < 20
    assert "restored" not in database.sizes()


def test_a_fence_keeps_superusers_out_and_lets_our_own_tools_in(server: Server, database: Postgres) -> None:
    database.copy("app", "copy", deadline=allow(60))
    argv = ["psql", "-XqAt", "-U", "owner", "-d", "copy", "-c", "SELECT 1"]
    for _ in range(2):
        refused = server.executor.run(argv, deadline=allow(60))
        assert "not currently accepting connections" in refused.errors
        assert database.rows("copy", deadline=allow(60)) == database.rows("app", deadline=allow(60))
        assert database.inventory("copy", deadline=allow(60)) == database.inventory("app", deadline=allow(60))
    database.unfence("copy")
    assert server.executor.run(argv, deadline=allow(60)).output == b"1\n"
    database.fence("copy")
    assert server.executor.run(argv, deadline=allow(60)).exit_code != 0


def test_a_copy_has_the_catalog_of_the_original(database: Postgres) -> None:
    database.copy("app", "copy", deadline=allow(60))
    assert database.mark("copy").catalog == database.mark("app").catalog


def test_what_stands_in_the_way_of_an_upgrade_is_named(server: Server, database: Postgres) -> None:
    before = database.inspect_load("app")
    assert before.admits_any
    assert (before.prepared, before.slots, before.subscriptions, before.oldest) == ((), (), (), None)
    assert before.free_connections > 50
    subscribe = "CREATE SUBSCRIPTION news CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false, slot_name = NONE);"
    server.psql(subscribe, "app")
    assert database.inspect_load("app").subscriptions == ("news",)
    server.psql("DROP SUBSCRIPTION news;", "app")
    other = server.client.api.exec_create(
        server.container.id, ["psql", "-U", "owner", "-d", "app", "-c", "BEGIN", "-c", "SELECT pg_sleep(60)"]
    )
    server.client.api.exec_start(other["Id"], detach=True)
    found = allow(20).poll(lambda: database.inspect_load("app").oldest, every_s=0.1)
    assert (found.user, found.application) == ("owner", "psql")
    assert [one.pid for one in database.sessions("app") if one.active] == [found.pid]
    assert database.terminate_sessions("app", [found.pid + 1]) == 0
    assert database.terminate_sessions("app", [found.pid]) == 1


def test_a_swap_exchanges_the_names_and_keeps_the_owner(server: Server, database: Postgres) -> None:
    database.copy("app", "copy", deadline=allow(60))
    database.unfence("copy")
    server.psql("CREATE TABLE public.only_in_copy (a int);", "copy")
    before = server.psql(PROPERTIES.format("app"))
    held = hold(server, "app", "SELECT pg_sleep(60);")
    database.swap("app", "copy", "aside")
    assert "public.only_in_copy" in database.rows("app", deadline=allow(60))
    assert "public.only_in_copy" not in database.rows("aside", deadline=allow(60))
    assert server.psql(PROPERTIES.format("app")) == before
    assert database.sessions("aside") == ()
    database.swap("app", "aside", "copy")
    assert held


def test_a_swap_with_a_missing_database_changes_nothing(database: Postgres) -> None:
    before = set(database.sizes())
    with pytest.raises(DatabaseError) as caught:
        database.swap("app", "absent", "aside")
    assert caught.value.code == "database.swap_failed"
    assert set(database.sizes()) == before


def hold(server: Server, database: str, text: str) -> str:
    """Start a session that stays; its application name."""
    name = f"holder-{secrets.token_hex(3)}"
    argv = ["psql", "-XqAt", "-U", "owner", "-d", database, "-c", text]
    server.container.exec_run(argv, detach=True, environment={"PGAPPNAME": name})
    asked = f"SELECT 1 FROM pg_stat_activity WHERE application_name = '{name}' AND state <> 'idle';"  # noqa: S608
    allow(20).poll(lambda: server.psql(asked) or None, every_s=0.05)
    return name


def test_a_database_in_use_is_not_copied_and_the_holder_is_named(server: Server, database: Postgres) -> None:
    name = hold(server, "app", "SELECT pg_sleep(60);")
    assert [each.application for each in database.sessions("app")] == [name]
    with pytest.raises(DatabaseError) as caught:
        database.copy("app", "copy", deadline=allow(60))
    assert caught.value.code == "database.in_use"
    assert name in caught.value.summary
    assert database.terminate_sessions("app") == 1
    allow(10).poll(lambda: True if not database.sessions("app") else None, every_s=0.05)


@pytest.mark.usefixtures("way")
def test_a_dump_that_is_too_slow_is_ended_in_the_server(server: Server, database: Postgres) -> None:
    name = hold(server, "app", "BEGIN; LOCK TABLE public.entries; SELECT pg_sleep(60);")
    with pytest.raises(DeadlineExceededError):
        database.dump(lambda _: None, deadline=allow(1))
    allow(10).poll(lambda: True if [s.application for s in database.sessions("app")] == [name] else None, every_s=0.1)
    database.terminate_sessions("app")


@pytest.mark.usefixtures("way")
def test_a_dump_ends_when_nobody_can_write_it(database: Postgres) -> None:
    def full(chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        database.dump(full, deadline=allow(60))
    allow(10).poll(lambda: True if not database.sessions("app") else None, every_s=0.1)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("user", "name", "code"),
    [(None, "absent", "database.missing"), ("nobody", "app", "database.authentication")],
)
def test_what_cannot_be_opened_has_its_own_error(server: Server, user: str | None, name: str, code: str) -> None:
    for look in (Postgres(server.executor, user, name).inspect, lambda: dumped(Postgres(server.executor, user, name))):
        with pytest.raises(DatabaseError) as caught:
            look()
        assert caught.value.code == code


def test_no_running_container_is_unreachable(server: Server) -> None:
    executor = ContainerExec(lambda: server.client, lambda: server.project, "absent")
    with pytest.raises(DatabaseError) as caught:
        Postgres(executor, None, None).inspect()
    assert caught.value.code == "database.unreachable"


def test_a_name_that_the_server_would_cut_is_refused(database: Postgres) -> None:
    with pytest.raises(DatabaseError) as caught:
        database.copy("app", "x" * 64, deadline=allow(60))
    assert caught.value.code == "database.name"


def test_a_large_table_goes_the_whole_way(server: Server, tmp_path: Path) -> None:
    database = Postgres(server.executor, None, "app0")
    server.psql(
        "CREATE TABLE big AS SELECT n, md5(n::text) || repeat('text ', 12) AS t FROM generate_series(1, 1000000) n;",
        "app0",
    )
    folder = BackupFolder(tmp_path / "backups")
    marks = [time.monotonic()]
    path, _, size = folder.write("b.sql.gz", lambda w: database.dump(w, deadline=allow(120)), report=ignore)
    marks.append(time.monotonic())
    proof = folder.prove(path, report=ignore, deadline=allow(120))
    marks.append(time.monotonic())
    database.restore(folder.read(path), "restored", like=database.properties("app0"), deadline=allow(120))
    marks.append(time.monotonic())
    database.copy("app0", "copy", deadline=allow(120))
    marks.append(time.monotonic())
    database.swap("app0", "copy", "aside")
    marks.append(time.monotonic())
    steps = zip(("dump", "prove", "restore", "copy", "swap"), marks, marks[1:], strict=False)
    print(f"\n{size / 1e6:.0f} MB:", ", ".join(f"{step} {b - a:.2f} s" for step, a, b in steps))
    assert proof.rows == {"public.big": 1_000_000}
    for name in ("aside", "restored"):
        database.drop(name)
