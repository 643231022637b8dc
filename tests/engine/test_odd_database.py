"""Everything that a database can hold, through a whole upgrade and its way back."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
import yaml

from tests.engine.installation import Install
from tests.engine.trouble import Setting, Site, verdict_of, written_site

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

ODD = 'Odd "App" №1'
ODD_ROLES = """
CREATE ROLE "o'Brien, admin" LOGIN; CREATE ROLE "Über \\ roles"; CREATE EXTENSION IF NOT EXISTS plpgsql;
"""
ODD_DATABASE = r"""
CREATE EXTENSION citext; CREATE EXTENSION pg_trgm;
CREATE SCHEMA "Odd Schema" AUTHORIZATION "o'Brien, admin";
CREATE TABLE "Odd Schema"."a.""b" ("x y" citext, n bigserial);
INSERT INTO "Odd Schema"."a.""b" ("x y") SELECT md5(n::text) FROM generate_series(1, 500) n;
CREATE INDEX ON "Odd Schema"."a.""b" USING gin ("x y" gin_trgm_ops);
GRANT SELECT ("x y") ON "Odd Schema"."a.""b" TO "Über \ roles" WITH GRANT OPTION;
CREATE TABLE parted (id int, kind text) PARTITION BY LIST (kind);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a'); CREATE TABLE parted_b PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT n, chr(97 + n % 3) FROM generate_series(1, 300) n;
ALTER TABLE parted OWNER TO "Über \ roles";
CREATE MATERIALIZED VIEW seen AS SELECT kind, count(*) FROM parted GROUP BY kind;
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id = NEW.id; RETURN NEW; END $$;
CREATE TRIGGER bump BEFORE INSERT ON parted_a FOR EACH ROW EXECUTE FUNCTION bump();
CREATE TABLE ruled (owner name, n int); ALTER TABLE ruled ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ruled USING (owner = current_user);
ALTER DEFAULT PRIVILEGES IN SCHEMA "Odd Schema" GRANT SELECT ON TABLES TO "o'Brien, admin";
SELECT lo_from_bytea(4711, decode(repeat('00ff', 5000), 'hex')); GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC;
"""
ODD_SETTINGS = """
ALTER DATABASE {name} CONNECTION LIMIT 42;
ALTER DATABASE {name} SET search_path TO "$user", public, "Odd Schema";
ALTER DATABASE {name} SET app.motto TO 'it''s = fine';
ALTER ROLE "o'Brien, admin" IN DATABASE {name} SET work_mem TO '8MB';
REVOKE CONNECT ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO "o'Brien, admin";
"""
RUINOUS = (
    "app",
    "python",
    "-c",
    "import os, psycopg\n"
    "sql = psycopg.connect(os.environ['DATABASE_URL'], autocommit=True).execute\n"
    "sql('DROP EXTENSION citext CASCADE'); sql('DROP TABLE parted_b'); sql('SELECT lo_unlink(4711)')\n"
    "sql('DROP SCHEMA \"Odd Schema\" CASCADE'); sql('UPDATE entries SET body = body || body')\n"
    "raise SystemExit(1)",
)
PROPERTIES = """SELECT json_build_array(pg_get_userbyid(datdba), datacl::text, datconnlimit, datcollate, datctype,
  datallowconn, encoding, (SELECT json_agg(json_build_array(setrole::regrole::text, setconfig) ORDER BY setrole)
    FROM pg_db_role_setting WHERE setdatabase = d.oid))::text FROM pg_database d WHERE datname = %s"""
TABLES = """SELECT format('%I.%I', n.nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind IN ('r', 'm') AND nspname !~ '^(pg_|information_schema)' ORDER BY 1"""
HASH = "SELECT count(*)::text, md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} t"
REST = """SELECT json_build_array(
  (SELECT json_agg(json_build_array(relname, relkind, relowner::regrole::text, relacl::text, relrowsecurity)
    ORDER BY relnamespace::regnamespace::text, relname) FROM pg_class WHERE oid >= 16384 AND relnamespace <> 99
    AND relkind <> 't'),
  (SELECT json_agg(json_build_array(attrelid::regclass::text, attname, attacl::text) ORDER BY 1, 2)
    FROM (SELECT * FROM pg_attribute WHERE attrelid >= 16384 AND attacl IS NOT NULL) a),
  (SELECT json_agg(json_build_array(extname, extversion) ORDER BY 1) FROM pg_extension),
  (SELECT json_agg(json_build_array(tgname, polname)) FROM pg_trigger, pg_policy WHERE NOT tgisinternal),
  (SELECT json_agg(defaclacl::text) FROM pg_default_acl),
  (SELECT json_agg(json_build_array(oid, lomowner::regrole::text, lomacl::text)) FROM pg_largeobject_metadata),
  (SELECT md5(lo_get(4711))),
  (SELECT json_agg(json_build_array(sequencename, last_value) ORDER BY 1) FROM pg_sequences))::text"""


@pytest.fixture
def odd_site(install: Install) -> Iterator[Site]:
    installation = install()
    host = installation.host
    quoted = '"' + ODD.replace('"', '""') + '"'
    host.compose("stop", "app")
    host.psql(f"CREATE DATABASE {quoted} TEMPLATE ledger", database="postgres")
    address = f"postgresql://ledger:{host.password}@db:5432/{quote(ODD)}"
    override = {"services": {"app": {"environment": {"DATABASE_URL": address}}}}
    (host.folder / "docker-compose.override.yml").write_text(yaml.safe_dump(override))
    host.up()
    with written_site(installation) as site:
        site.database = ODD
        with site.connect() as connection:
            for text in (ODD_ROLES, ODD_DATABASE, ODD_SETTINGS.format(name=quoted)):
                connection.execute(text.encode())
        yield site


def content(site: Site, database: str) -> dict[str, object]:
    """Rows, owners, grants, settings and a hash of every table, but for what the writer goes on with."""
    found: dict[str, object] = {"properties": site.ask(PROPERTIES, site.database)}
    with site.connect(database) as connection:
        found["rest"] = connection.execute(REST).fetchall()
        for (table,) in connection.execute(TABLES).fetchall():
            if table != "public.entries":
                found[table] = connection.execute(HASH.format(table).encode()).fetchall()
    return found


def test_an_odd_database_is_after_a_way_back_what_it_was_at_the_stop(odd_site: Site) -> None:
    site = odd_site
    before = content(site, ODD)
    assert len(before) > 6
    ended = site.upgrade(Setting(migrate=RUINOUS))
    assert verdict_of(ended) == ("rolled_back", 20), ended.said
    assert content(site, ODD) == before
    assert isinstance(ended.document["quarantine"], list)
    (quarantine,) = ended.document["quarantine"]
    assert site.ask("SELECT to_regclass('parted_b')::text", database=quarantine) == [(None,)]
    site.assert_whole(ended)
