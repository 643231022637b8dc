"""Migrations that go wrong in every way: whatever one did, the old version serves on the data of before."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.engine.installation import Ended, Install
from tests.engine.trouble import Setting, Site, reason_of, verdict_of, written_site

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

ROLLED_BACK = ("rolled_back", 20)
PREPARED = """
CREATE TABLE prices (id int PRIMARY KEY, price int);
INSERT INTO prices SELECT n, n % 50 FROM generate_series(1, 100) n;
CREATE SEQUENCE tickets; SELECT nextval('tickets');
ALTER DATABASE ledger SET app.motto TO 'as it was';
"""
# All that a migration of these tests can change, as of one moment; entries are the writer's.
CONTENT = """SELECT json_build_array(
  (SELECT json_agg(p ORDER BY id) FROM prices p), (SELECT last_value FROM tickets),
  (SELECT json_agg(t ORDER BY version) FROM schema_version t),
  (SELECT json_agg(json_build_array(relname, relkind, relowner::regrole, relacl::text) ORDER BY oid) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace),
  (SELECT json_agg(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase
    WHERE datname = current_database()))::text"""
BEGINNING = """
import os, signal, sys, time
import psycopg
sql = psycopg.connect(os.environ['DATABASE_URL'], autocommit=True, application_name='migration').execute
"""


@dataclass(frozen=True)
class Bad:
    """A migration, what the report says of it, and whether it has written."""

    name: str
    script: str
    words: tuple[str, ...]
    writes: bool = True
    timeout: str = "60s"
    state: str = "migrate"

    def __str__(self) -> str:
        return self.name


BAD = (
    Bad(
        "exits with 1", "sql('UPDATE prices SET price = 0'); sys.exit('no such luck')", ("exit code 1", "no such luck")
    ),
    Bad(
        "fails after half of its DDL outside a transaction",
        "sql('ALTER TABLE prices ADD COLUMN more int')\nsql('CREATE UNIQUE INDEX CONCURRENTLY half ON prices (price)')",
        ("exit code 1", 'could not create unique index "half"'),
    ),
    Bad("drops a table", "sql('DROP TABLE prices CASCADE'); sys.exit(1)", ("exit code 1",)),
    Bad("changes a setting", "sql(\"ALTER DATABASE ledger SET app.motto TO 'new'\"); sys.exit(1)", ("exit code 1",)),
    Bad(
        "changes an owner and grants",
        "sql('ALTER TABLE prices OWNER TO pg_monitor; GRANT SELECT ON entries TO PUBLIC'); sys.exit(1)",
        ("exit code 1",),
    ),
    Bad("truncates", "sql('TRUNCATE prices'); sys.exit(1)", ("exit code 1",)),
    Bad("moves a sequence only", "sql(\"SELECT nextval('tickets')\"); sys.exit(1)", ("exit code 1",)),
    Bad("only reads", "sql('SELECT count(*) FROM prices'); sys.exit(1)", ("exit code 1",), writes=False),
    Bad(
        "talks too much",
        "sql('UPDATE prices SET price = 0')\n"
        "for n in range(100_000): print('row', n, 'x' * 80)\n"
        "print('y' * 20_000_000); print('last words'); sys.exit(1)",
        ("exit code 1", "last words"),
    ),
    Bad(
        "ignores SIGTERM",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "sql('UPDATE prices SET price = 0'); print('still here', flush=True)\n"
        "while True: time.sleep(1)",
        ("not done within 3 s",),
        timeout="3s",
    ),
    Bad(
        "goes on in the background and says that all is well",
        "sql('UPDATE prices SET price = 0')\n"
        "if os.fork() == 0:\n"
        "    sql('UPDATE prices SET price = 1 FROM pg_sleep(60)')\n"
        "time.sleep(1); os._exit(0)",
        ("exit code 0", "still at work"),
    ),
    Bad(
        "says that all is well half-way",
        "sql('ALTER TABLE prices ADD COLUMN more int')",
        ("Service app is",),
        state="health",
    ),
)


@pytest.fixture(scope="module")
def site(install: Install) -> Iterator[Site]:
    with written_site(install()) as site:
        site.host.psql(PREPARED)
        yield site


def migration(script: str) -> tuple[str, ...]:
    return ("app", "python", "-c", BEGINNING + script)


def assert_as_before(site: Site, ended: Ended, before: str, *, writes: bool = True) -> None:
    assert verdict_of(ended) == ROLLED_BACK, ended.said
    site.assert_whole(ended)
    assert site.host.psql(CONTENT) == before
    quarantine = ended.document["quarantine"]
    assert isinstance(quarantine, list)
    assert len(quarantine) == (1 if writes else 0), reason_of(ended, "restore")
    assert site.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migration'") == [(0,)]
    site.tidy()


LONG = {"ignores SIGTERM", "says that all is well half-way", "talks too much"}


@pytest.mark.parametrize(
    "bad",
    [pytest.param(bad, marks=[pytest.mark.soak] if str(bad) in LONG else [], id=str(bad)) for bad in BAD],
)
def test_a_bad_migration_is_taken_back_with_all_that_it_did(site: Site, bad: Bad) -> None:
    before = site.host.psql(CONTENT)
    timeouts = {"migrate": bad.timeout, "health": "8s"}
    ended = site.upgrade(Setting(migrate=migration(bad.script), timeouts=timeouts))
    assert [word for word in bad.words if word not in reason_of(ended, bad.state)] == [], ended.said[-3000:]
    assert len(ended.stdout) < 60_000
    assert_as_before(site, ended, before, writes=bad.writes)


def test_a_migration_that_is_killed_from_outside_is_taken_back(site: Site) -> None:
    before = site.host.psql(CONTENT)
    script = "sql('UPDATE prices SET price = 0'); sql('SELECT pg_sleep(100) AS the_migration')"
    with site.upgrading(Setting(migrate=migration(script))) as upgrade:
        upgrade.await_query("%the_migration%")
        for container in site.host.client.containers.list(filters={"label": "upgrade-orchestrator.run"}):
            if site.host.project in str(container.attrs["NetworkSettings"]["Networks"]):
                container.kill()
        ended = upgrade.end()
    assert "exit code 137" in reason_of(ended, "migrate")
    assert_as_before(site, ended, before)


@pytest.mark.soak
def test_what_a_bad_migration_left_invalid_is_in_the_quarantine(site: Site) -> None:
    script = "sql('CREATE UNIQUE INDEX CONCURRENTLY half ON prices (price)')"
    ended = site.upgrade(Setting(migrate=migration(script)))
    quarantine = ended.document["quarantine"]
    assert isinstance(quarantine, list)
    (name,) = quarantine
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    assert (site.ask(invalid, database=name), site.ask(invalid, database="ledger")) == ([(1,)], [(0,)])
    site.assert_whole(ended)
