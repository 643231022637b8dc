"""A real server that fails an upgrade in each state that needs it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

import psycopg
import pytest
import yaml

from deploy.demo.bed import LABEL
from tests.engine.installation import Ended, Install
from tests.engine.trouble import DATABASES, NEW, OLD, Setting, Site, reason_of, until, verdict_of, written_site

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

COMMITTED, ROLLED_BACK, REFUSED, STRANDED = (
    ("committed", 0),
    ("rolled_back", 20),
    ("refused", 10),
    ("needs_operator", 30),
)
NO_MIGRATION = ("app", "sh", "-c", "echo nothing to be done here; exit 3")
SLOW_MIGRATION = (
    "app",
    "python",
    "-c",
    "import os, psycopg\n"
    "connection = psycopg.connect(os.environ['DATABASE_URL'], autocommit=True)\n"
    "connection.execute('ALTER TABLE entries ADD COLUMN half int DEFAULT 1')\n"
    "connection.execute('SELECT pg_sleep(120) AS the_migration')\n",
)
# Rebuilt by a restore only, and slow then.


@pytest.fixture(scope="module")
def host_site(install: Install) -> Iterator[Site]:
    with written_site(install()) as site:
        site.host.psql("ALTER SYSTEM SET max_prepared_transactions = 5")
        site.host.psql("ALTER SYSTEM SET wal_level = logical")
        site.host.psql("CREATE ROLE analyst LOGIN PASSWORD 'a' IN ROLE pg_read_all_data")
        site.host.compose("restart", "db")
        until(lambda: site.answers() and site.serves())
        yield site


@pytest.fixture
def site(host_site: Site) -> Iterator[Site]:
    if host_site.serves(NEW):
        host_site.reset()
    yield host_site
    host_site.tidy()


# --- who and what is in the way


@contextmanager
def server_off(site: Site) -> Iterator[None]:
    site.kill_server()
    try:
        yield
    finally:
        site.start_server()


@contextmanager
def flood(site: Site) -> Iterator[None]:
    """Superusers, for whom no connection is kept back, take all that there are."""
    full, over = threading.Event(), threading.Event()

    def take(held: ExitStack) -> None:
        while not over.wait(0.002):
            try:
                held.enter_context(site.connect("postgres"))
            except psycopg.OperationalError as error:
                if "too many clients" in str(error):
                    full.set()

    with ExitStack() as held:
        taker = threading.Thread(target=take, args=(held,))
        taker.start()
        assert full.wait(30)
        try:
            yield
        finally:
            over.set()
            taker.join()


@contextmanager
def crowd(site: Site) -> Iterator[None]:
    """Users take what is not kept back for superusers."""
    with ExitStack() as held:
        refused = ""
        while "connection slots are reserved" not in refused:
            try:
                held.enter_context(site.connect("postgres", user="analyst", password="a"))
            except psycopg.OperationalError as error:
                refused = str(error)
        yield


@contextmanager
def prepared(site: Site) -> Iterator[None]:
    with site.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE of_the_bank (a int)")
        connection.execute("PREPARE TRANSACTION 'transfer-7'")
    yield
    site.host.psql("ROLLBACK PREPARED 'transfer-7'")


@contextmanager
def replicated(site: Site) -> Iterator[None]:
    site.ask("SELECT pg_create_logical_replication_slot('analytics', 'pgoutput')", database="ledger")
    yield
    site.ask("SELECT pg_drop_replication_slot('analytics')", database="ledger")


@contextmanager
def nothing(site: Site) -> Iterator[None]:
    yield


Trouble = Callable[[Site], AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("trouble", "database", "words"),
    [
        (server_off, {}, ["No container of service 'db' is running", "docker compose up -d db"]),
        (nothing, {"user": "nobody_here"}, ["does not let us in", 'role "nobody_here" does not exist']),
        (nothing, {"name": "absent"}, ["The server has no database 'absent'", "`database.name`"]),
        (flood, {}, ["no connection left", "too many clients", "max_connections"]),
        (crowd, {}, ["connections left; 5 are needed", "max_connections"]),
        (prepared, {}, ["Prepared transactions wait in ledger", "transfer-7", "ROLLBACK PREPARED"]),
        (replicated, {}, ["Logical replication reads from ledger", "analytics", "Drop the slots"]),
    ],
)
def test_what_is_wrong_beforehand_is_said_and_nothing_is_touched(
    site: Site, trouble: Trouble, database: dict[str, str], words: list[str]
) -> None:
    container = site.host.container("app").id
    with trouble(site):
        ended = site.upgrade(Setting(database=database))
    assert verdict_of(ended) == REFUSED, ended.said
    assert [word for word in words if word not in ended.said] == []
    site.assert_whole(ended)
    assert site.host.container("app").id == container


# --- backup


def test_a_dump_goes_on_when_a_lock_is_released_and_a_stranger_may_leave_while_the_app_stops(site: Site) -> None:
    with site.upgrading(Setting(migrate=NO_MIGRATION, pauses=("backup",))) as upgrade, ExitStack() as held:
        upgrade.await_pause("backup")
        idle = held.enter_context(site.connect(user="analyst", password="a"))
        idle.execute("BEGIN")
        idle.execute("SELECT count(*) FROM schema_version")
        with dump_held(site):
            upgrade.resume("backup")
            upgrade.await_query("LOCK TABLE%")
        upgrade.until(lambda: site.host.container("app").status != "running")
        idle.close()
        ended = upgrade.end()
    assert verdict_of(ended) == ROLLED_BACK, ended.said
    assert reason_of(ended, "backup") == ""
    assert "exit code 3" in reason_of(ended, "migrate")
    assert "Nothing was written to ledger since the app stopped" in reason_of(ended, "restore")
    assert ended.document["quarantine"] == []
    site.assert_whole(ended)


@pytest.mark.soak
def test_a_dump_gives_up_when_a_table_stays_locked(site: Site) -> None:
    with site.upgrading(Setting(pauses=("backup",))) as upgrade, ExitStack() as held:
        with upgrade.paused("backup"):
            locker = held.enter_context(site.connect())
            locker.execute("CREATE TABLE held (a int)")
            locker.execute("BEGIN")
            locker.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
        ended = upgrade.end()
        locker.execute("ROLLBACK")
        locker.execute("DROP TABLE held")
    assert verdict_of(ended) == REFUSED, ended.said
    for word in ("A table was locked for 30 s", "public.held", "pg_locks", "The app goes on as before"):
        assert word in reason_of(ended, "backup")
    site.assert_whole(ended)


@contextmanager
def dump_held(site: Site) -> Iterator[None]:
    """Until this is left, a dump comes as far as one table and no farther."""
    with site.connect() as locker:
        locker.execute("CREATE TABLE held (a int)")
        locker.execute("BEGIN")
        locker.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
        yield
    with suppress(psycopg.Error):
        site.ask("DROP TABLE held", database="ledger")


def power_off(site: Site) -> None:
    site.kill_server()
    until(lambda: site.host.container("db").status == "exited")


def crash_dump(site: Site) -> None:
    site.crash_a_backend("LOCK TABLE%")


def end_dump(site: Site) -> None:
    site.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^upgrade-orchestrator'")


def upgrade_with_a_dump_cut_off(site: Site, fault: Callable[[Site], None]) -> Ended:
    with site.upgrading(Setting(pauses=("backup",), timeouts={"backup": "25s"})) as upgrade:
        upgrade.await_pause("backup")
        with suppress(psycopg.OperationalError), dump_held(site):
            upgrade.resume("backup")
            upgrade.await_query("LOCK TABLE%")
            fault(site)
        ended = upgrade.end()
    if not site.answers():
        site.start_server()
    site.host.psql("DROP TABLE IF EXISTS held")
    return ended


def test_a_dump_that_a_crash_of_the_server_cuts_off_is_taken_again(site: Site) -> None:
    before = site.installation.backups()
    ended = upgrade_with_a_dump_cut_off(site, crash_dump)
    assert verdict_of(ended) == COMMITTED, ended.said
    assert len(site.installation.backups()) == len(before) + 1
    site.assert_whole(ended, NEW)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (power_off, ["The database cannot be looked at or changed", "Waiting for the database server"]),
        (end_dump, ["PostgreSQL refused", "terminating connection due to administrator command"]),
    ],
)
def test_a_dump_that_is_cut_off_is_no_backup(site: Site, fault: Callable[[Site], None], words: list[str]) -> None:
    before = site.installation.backups()
    ended = upgrade_with_a_dump_cut_off(site, fault)
    assert verdict_of(ended) == REFUSED, ended.said
    assert [word for word in words if word not in reason_of(ended, "backup")] == [], reason_of(ended, "backup")
    assert site.installation.backups() == before
    site.assert_whole(ended)


# --- stop


def test_a_stranger_who_stays_is_named_and_not_thrown_out(site: Site) -> None:
    with site.upgrading(Setting(pauses=("stop",))) as upgrade, ExitStack() as held:
        with upgrade.paused("stop"):
            stranger = held.enter_context(site.connect(user="analyst", password="a"))
            stranger.execute("BEGIN")
            stranger.execute("SELECT count(*) FROM entries")
        ended = upgrade.end()
        assert stranger.execute("SELECT 1").fetchone() == (1,)
        stranger.execute("ROLLBACK")
    assert verdict_of(ended) == ROLLED_BACK, ended.said
    for word in ("at a published port as analyst (stranger", "still connected to ledger", "target: disconnect:"):
        assert word in reason_of(ended, "stop")
    site.assert_whole(ended)


def test_a_transaction_prepared_meanwhile_is_named(site: Site) -> None:
    with site.upgrading(Setting(pauses=("stop",))) as upgrade, ExitStack() as held:
        with upgrade.paused("stop"):
            held.enter_context(prepared(site))
        ended = upgrade.end()
    assert verdict_of(ended) == ROLLED_BACK, ended.said
    assert "transfer-7" in reason_of(ended, "stop")
    site.assert_whole(ended)


def test_a_server_full_of_others_is_waited_for_on_the_way_back(site: Site) -> None:
    with site.upgrading(Setting(pauses=("pull",))) as upgrade:
        upgrade.await_pause("pull")
        with flood(site):
            upgrade.resume("pull")
            threading.Event().wait(5)
        ended = upgrade.end()
    assert verdict_of(ended) == ROLLED_BACK, ended.said
    for words in ("no connection left for us", "too many clients", "raise max_connections"):
        assert words in reason_of(ended, "migrate")
    site.assert_whole(ended)


@contextmanager
def copy_held(site: Site) -> Iterator[None]:
    """Let a copy of a database begin and not come to its end: it waits for a checkpoint."""
    ((pid,),) = site.ask("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
    site.host.container("db").exec_run(["bash", "-c", f"kill -STOP {pid}"])
    yield


def test_a_server_killed_in_the_middle_of_the_copy_is_waited_for_and_the_copy_repeated(site: Site) -> None:
    with site.upgrading(Setting(pauses=("stop",))) as upgrade:
        with upgrade.paused("stop"), copy_held(site):
            pass
        upgrade.await_query("CREATE DATABASE%")
        site.kill_server()
        threading.Event().wait(2)
        site.start_server()
        ended = upgrade.end()
    assert verdict_of(ended) == COMMITTED, ended.said
    assert site.ask(DATABASES, r"%\_\_snapshot\_%") == [(ended.document["snapshot"],)]
    site.assert_whole(ended, NEW)


def test_a_server_that_does_not_come_back_needs_the_operator_who_is_told_what_to_do(site: Site) -> None:
    with site.upgrading(Setting(pauses=("stop",), timeouts={"stop": "15s", "rollback": "8s"})) as upgrade:
        with upgrade.paused("stop"), copy_held(site):
            pass
        upgrade.await_query("CREATE DATABASE%")
        site.kill_server()
        ended = upgrade.end()
    assert verdict_of(ended) == STRANDED, ended.said
    assert "docker compose up -d db" in reason_of(ended, "rollback")
    steps = ended.document["next"]
    assert isinstance(steps, list)
    assert any('ALTER DATABASE "ledger" ALLOW_CONNECTIONS true' in step for step in steps)
    site.start_server()
    site.host.psql('ALTER DATABASE "ledger" ALLOW_CONNECTIONS true', database="postgres")
    site.host.compose("up", "-d", "--pull", "never", "--force-recreate", "--no-deps", "app")
    site.assert_whole(ended)


# --- migrate


@pytest.mark.parametrize("subject", ["DATABASE", pytest.param("ROLE", marks=pytest.mark.soak)])
def test_a_migration_that_may_only_read_is_taken_back_without_a_swap(site: Site, subject: str) -> None:
    read_only = f"ALTER {subject} ledger SET default_transaction_read_only = on"
    try:
        with site.upgrading(Setting(pauses=("stop",))) as upgrade:
            with upgrade.paused("stop"):
                site.host.psql(read_only, database="postgres")
            ended = upgrade.end()
    finally:
        with site.connect("postgres", options="-c default_transaction_read_only=off") as connection:
            connection.execute(f"ALTER {subject} ledger RESET default_transaction_read_only")
        site.host.compose("restart", "app")
    assert verdict_of(ended) == ROLLED_BACK, ended.said
    assert "read-only transaction" in reason_of(ended, "migrate")
    assert ended.document["quarantine"] == []
    site.assert_whole(ended)


def off_and_on(site: Site) -> None:
    site.kill_server()
    threading.Event().wait(2)
    site.start_server()


def crash_migration(site: Site) -> None:
    site.crash_a_backend("%the_migration%")


@pytest.mark.parametrize("fault", [off_and_on, crash_migration])
def test_a_server_lost_in_the_middle_of_a_migration_is_waited_for_and_the_data_come_back(
    site: Site, fault: Callable[[Site], None]
) -> None:
    with site.upgrading(Setting(migrate=SLOW_MIGRATION)) as upgrade:
        upgrade.await_query("SELECT pg_sleep%the_migration")
        fault(site)
        ended = upgrade.end()
    assert verdict_of(ended) == ROLLED_BACK, ended.said
    said = ("ended with exit code 1", "No container of service 'db'", "PostgreSQL does not answer")
    assert any(words in reason_of(ended, "migrate") for words in said), reason_of(ended, "migrate")
    assert len(ended.document["quarantine"]) == 1  # type: ignore[arg-type]
    site.assert_whole(ended)


def test_a_server_restarted_before_the_migration_proves_nothing_and_the_snapshot_is_taken(site: Site) -> None:
    with site.upgrading(Setting(pauses=("migrate",))) as upgrade:
        with upgrade.paused("migrate"):
            off_and_on(site)
        ended = upgrade.end()
    assert verdict_of(ended) == ROLLED_BACK, ended.said
    assert "restarted" in reason_of(ended, "migrate")
    site.assert_whole(ended)


# --- health, restore, rollback


def test_a_stranger_who_comes_back_all_the_time_does_not_keep_the_data_from_coming_back(site: Site) -> None:
    over = threading.Event()

    def knock() -> None:
        while not over.is_set():
            with suppress(psycopg.Error), site.connect(user="analyst", password="a") as connection:
                connection.execute("SELECT 1")
            over.wait(0.002)

    knocker = threading.Thread(target=knock)
    knocker.start()
    try:
        ended = site.upgrade(Setting(migrate=SLOW_MIGRATION, timeouts={"migrate": "3s"}))
    finally:
        over.set()
        knocker.join()
    assert verdict_of(ended) == ROLLED_BACK, ended.said
    assert "migrate" in [line["state"] for line in ended.document["states"]]  # type: ignore[attr-defined]
    site.assert_whole(ended)


@pytest.mark.soak
def test_a_server_lost_before_the_old_version_starts_is_waited_for(site: Site) -> None:
    with site.upgrading(Setting(migrate=NO_MIGRATION, pauses=("rollback",))) as upgrade:
        with upgrade.paused("rollback"):
            site.kill_server()
        threading.Event().wait(3)
        site.start_server()
        ended = upgrade.end()
    assert verdict_of(ended) == ROLLED_BACK, ended.said
    site.assert_whole(ended)


@pytest.mark.soak
def test_a_server_lost_while_the_new_version_is_watched_costs_no_upgrade(site: Site) -> None:
    setting = Setting(options={"health": {"steady_for": "3s"}})
    with site.upgrading(setting) as upgrade:
        gated = f"{site.host.project}-app-gated"
        upgrade.until(lambda: [one for one in site.host.client.containers.list() if one.name == gated])
        off_and_on(site)
        ended = upgrade.end()
    assert verdict_of(ended) == COMMITTED, ended.said
    site.assert_whole(ended, NEW)


# --- everybody who crowds a database


POOLER = """
import os, time, psycopg
def connect():
    return psycopg.connect(os.environ['DATABASE_URL'], autocommit=True, application_name='pooler', connect_timeout=2)
held = []
while True:
    try:
        held = [one for one in held if not one.closed][:3]
        held.append(connect())
        for one in held: one.execute('SELECT 1')
    except psycopg.Error:
        held = []
    time.sleep(0.005)
"""
IMPATIENT = ("statement_timeout = '150ms'", "lock_timeout = '50ms'", "idle_in_transaction_session_timeout = '50ms'")


@pytest.fixture
def crowded_site(site: Site) -> Iterator[Site]:
    """A pooler that comes back all the time, a server without patience, a busy autovacuum, a connection limit."""
    host = site.host
    pooler: dict[str, object] = {
        "image": f"{host.repository}:v{OLD}",
        "command": ["python", "-c", POOLER],
        "environment": {"DATABASE_URL": f"postgresql://ledger:{host.password}@db:5432/ledger"},
        "labels": {LABEL: host.owner},
        "stop_signal": "SIGKILL",
        "healthcheck": {"disable": True},
    }
    (host.folder / "docker-compose.override.yml").write_text(yaml.safe_dump({"services": {"pooler": pooler}}))
    for setting in IMPATIENT:
        host.psql(f"ALTER DATABASE ledger SET {setting}")
    host.psql("ALTER DATABASE ledger CONNECTION LIMIT 5")
    host.psql("ALTER SYSTEM SET autovacuum_naptime = '1s'")
    host.psql("SELECT pg_reload_conf()")
    host.psql(
        "SET statement_timeout = 0; SET lock_timeout = 0; DROP TABLE IF EXISTS busy;"
        " CREATE TABLE busy WITH (autovacuum_vacuum_cost_delay = 20, autovacuum_vacuum_cost_limit = 1)"
        " AS SELECT n, md5(n::text) FROM generate_series(1, 100000) n;"
        " DELETE FROM busy WHERE n % 2 = 0"
    )
    host.compose("up", "--detach", "pooler")
    upgrade_vacuums = "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"
    until(lambda: host.psql(upgrade_vacuums) == "t")
    yield site
    host.compose("rm", "--stop", "--force", "pooler")
    (host.folder / "docker-compose.override.yml").unlink()


@pytest.mark.soak
def test_a_pooler_that_the_plan_does_not_name_keeps_the_upgrade_from_being_done(crowded_site: Site) -> None:
    ended = crowded_site.upgrade(Setting(migrate=NO_MIGRATION))
    assert verdict_of(ended) == REFUSED, ended.said
    for word in ("the service pooler (container", "as ledger (pooler", "target: disconnect: [pooler]"):
        assert word in reason_of(ended, "preflight")
    crowded_site.assert_whole(ended)


def test_in_a_crowd_that_the_plan_names_the_upgrade_is_done(crowded_site: Site) -> None:
    # It is in a transaction while it computes: on a busy machine for longer than the server has patience.
    patience = " ".join(f"-c {setting.partition(' ')[0]}=0" for setting in IMPATIENT)
    migrate = ("app", "sh", "-c", f"PGOPTIONS='{patience}' ledger migrate")
    ended = crowded_site.upgrade(Setting(migrate=migrate, disconnect=("pooler",)))
    assert verdict_of(ended) == COMMITTED, ended.said
    assert crowded_site.ask("SELECT datconnlimit FROM pg_database WHERE datname = 'ledger'") == [(5,)]
    crowded_site.assert_whole(ended, NEW)
