"""Another app than the demo, with a plan of its own: nothing of the demo is built into engine or states."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.bed import (
    LABEL,
    Bed,
    FeedEntry,
    LedgerHost,
    ReleaseFeed,
    ensure_wheelhouse,
    find_free_port,
    run_command,
)
from tests.engine.installation import Ended, find_belongings, orchestrator

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

BUILD_TIMEOUT_S = 120
COMPOSE_TIMEOUT_S = 120

_DOCKERFILE = """\
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
RUN python3 -m venv --without-pip /opt/shop
RUN --mount=from=wheels,target=/wheels \\
    pip --python /opt/shop/bin/python install --no-index --find-links /wheels psycopg[binary]
COPY shop.py /shop.py
ARG NUMBER
ENV SHOP_NUMBER=${NUMBER}
ENTRYPOINT ["/opt/shop/bin/python", "/shop.py"]
CMD ["web"]
"""

# Release 3 migrates and then never answers well.
_SHOP = """\
import http.server
import json
import os
import signal
import sys

import psycopg

number = int(os.environ["SHOP_NUMBER"])
connection = psycopg.connect(os.environ["STORE"], autocommit=True)


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        connection.execute("SELECT count(*) FROM orders").fetchone()
        self.send_response(500 if number == 3 else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"build": {"release": f"{number}.0"}}).encode())


if sys.argv[1] == "upgrade-schema":
    connection.execute("CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, what text)")
    connection.execute(f"ALTER TABLE orders ADD COLUMN since_{number} integer")
else:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    http.server.HTTPServer(("", 8123), Page).serve_forever()
"""

_COMPOSE = """\
name: {project}
services:
  store:
    image: {postgres}
    labels: &labels {{{label}: {owner}}}
    environment: {{POSTGRES_USER: keeper, POSTGRES_PASSWORD: "s3cret'$$word", POSTGRES_DB: shop-data}}
    healthcheck: {{test: [CMD, pg_isready, -h, 127.0.0.1], interval: 1s, retries: 60}}
    volumes: ["data:/var/lib/postgresql/data"]
  web:
    image: {repository}:${{TAG:-none}}
    labels: *labels
    depends_on: {{store: {{condition: service_healthy}}}}
    environment: {{STORE: "host=store user=keeper password='s3cret\\\\'$$word' dbname=shop-data"}}
    ports: ["127.0.0.1:{port}:8123"]
volumes:
  data: {{labels: *labels}}
networks:
  default: {{labels: *labels}}
"""

_PLAN = """\
plan: 1
name: shop
target:
  project: .
  services: [web]
  image: {repository}
  version_variable: TAG
  migrate: [web, upgrade-schema]
  health:
    url: http://127.0.0.1:{port}/up
    steady_for: 1s
    version: {{field: build.release}}
database: {{service: store}}
releases: {{source: file, path: releases.json}}
backups: {{directory: safe, keep: 2}}
initial: check
states:
  check:     {{kind: check,    then: {{newer: dump, current: same, failed: no}}}}
  dump:      {{kind: backup,   then: {{done: halt, failed: no}}}}
  halt:      {{kind: stop,     then: {{done: fetch, failed: go_back}}}}
  fetch:     {{kind: pull,     then: {{done: schema, failed: go_back}}}}
  schema:    {{kind: migrate,  then: {{done: up, failed: data_back}}}}
  up:        {{kind: start,    then: {{done: well, failed: data_back}}}}
  well:      {{kind: health,   then: {{done: keep, failed: data_back}}, timeout: 10s}}
  keep:      {{kind: commit,   then: {{done: yes_new, failed: help}}}}
  data_back: {{kind: restore,  then: {{done: go_back, failed: help}}}}
  go_back:   {{kind: rollback, then: {{done: yes_old, failed: help}}}}
  same: {{end: up_to_date}}
  no: {{end: refused}}
  yes_new: {{end: committed}}
  yes_old: {{end: rolled_back}}
  help: {{end: needs_operator}}
"""


class Shop:
    """The other app, installed at release 1.0."""

    def __init__(self, bed: Bed, folder: Path) -> None:
        self.folder = folder
        self.port = find_free_port()
        self.project = f"{bed.id}-shop"
        self.repository = f"{bed.registry.address}/{bed.id}/shop"
        self._bed = bed
        for number in (1, 2, 3):
            self._publish(number)

    def install(self) -> None:
        """Write the project folder and bring it into service."""
        words = {
            "project": self.project,
            "postgres": self._bed.bases.postgres,
            "label": LABEL,
            "owner": self._bed.id,
            "repository": self.repository,
            "port": self.port,
        }
        (self.folder / "compose.yaml").write_text(_COMPOSE.format(**words), encoding="utf-8")
        (self.folder / "plan.yaml").write_text(_PLAN.format(**words), encoding="utf-8")
        (self.folder / ".env").write_text("TAG=1.0 # the one that runs\n", encoding="utf-8")
        (self.folder / "safe").mkdir(mode=0o700)
        self.compose("up", "--detach", "--wait", "store")
        self.compose("run", "--rm", "web", "upgrade-schema")
        self.compose("up", "--detach", "--wait")
        self.sql("INSERT INTO orders (what) VALUES ('tea')")

    def upgrade(self, version: str) -> Ended:
        """Announce a release and upgrade to it."""
        ReleaseFeed(self.folder / "releases.json").write([FeedEntry("1.0"), FeedEntry(version)])
        return orchestrator("run", str(self.folder / "plan.yaml"), "--force", "--json")

    def sql(self, statement: str) -> str:
        """Run SQL in the app's database."""
        return self.compose(
            "exec", "-T", "store", "psql", "-qtA", "-U", "keeper", "-d", "shop-data", "-c", statement
        ).strip()

    def columns(self) -> str:
        """Columns that migrations have added."""
        return self.sql(
            "SELECT string_agg(column_name, ' ' ORDER BY 1) FROM information_schema.columns"
            " WHERE table_name = 'orders' AND column_name LIKE 'since%'"
        )

    def compose(self, *arguments: str) -> str:
        """Run `docker compose` in the project folder."""
        return run_command(["docker", "compose", *arguments], timeout_s=COMPOSE_TIMEOUT_S, cwd=self.folder)

    def take_down(self) -> None:
        """Remove all that belongs to the project."""
        LedgerHost(self._bed.client, self.folder, self.project, "", "", "").down()

    def _publish(self, number: int) -> None:
        context = self.folder / f"build-{number}"
        context.mkdir()
        (context / "Dockerfile").write_text(_DOCKERFILE, encoding="utf-8")
        (context / "shop.py").write_text(_SHOP, encoding="utf-8")
        reference = f"{self.repository}:{number}.0"
        argv = ["docker", "buildx", "build", "--quiet", "--load", "--network", "none", "--tag", reference]
        argv += ["--build-context", f"wheels={ensure_wheelhouse()}", "--label", f"{LABEL}={self._bed.id}"]
        argv += ["--build-arg", f"PYTHON_IMAGE={self._bed.bases.python}", "--build-arg", f"NUMBER={number}"]
        run_command([*argv, str(context)], timeout_s=BUILD_TIMEOUT_S)
        self._bed.registry.push(reference)
        self._bed.client.images.remove(reference)


@pytest.fixture
def shop(ledger_bed: Bed, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(ledger_bed, tmp_path)
    try:
        shop.install()
        yield shop
    finally:
        shop.take_down()


def test_another_app_is_upgraded_and_comes_back_with_a_plan_of_its_own(shop: Shop, ledger_bed: Bed) -> None:
    belongings = find_belongings(ledger_bed.client, shop.project)

    good = shop.upgrade("2.0")
    assert (good.exit_code, good.document["verdict"]) == (0, "committed"), good.said
    assert (shop.folder / ".env").read_text().startswith("TAG=2.0@sha256:")
    assert (shop.folder / ".env").read_text().endswith(" # the one that runs\n")
    assert shop.columns() == "since_1 since_2"
    pinned = (shop.folder / ".env").read_bytes()

    bad = shop.upgrade("3.0")
    assert (bad.exit_code, bad.document["verdict"]) == (20, "rolled_back"), bad.said
    assert (shop.folder / ".env").read_bytes() == pinned
    assert shop.columns() == "since_1 since_2"
    assert shop.sql("SELECT what FROM orders") == "tea"

    backups = sorted(path.name.partition("_v")[2] for path in (shop.folder / "safe").iterdir())
    assert backups == ["1.0.sql.gz", "2.0.sql.gz"], json.dumps(backups)
    assert find_belongings(ledger_bed.client, shop.project) == belongings


def test_another_app_is_rehearsed_and_its_old_version_lives_on_the_new_schema(shop: Shop, ledger_bed: Bed) -> None:
    belongings, plan = find_belongings(ledger_bed.client, shop.project), shop.folder / "plan.yaml"
    rehearsed = """{kind: backup, then: {done: early, failed: no}}
  early:     {kind: pull,     then: {done: trial, failed: no}}
  trial:     {kind: rehearse, then: {done: halt, failed: no}, with: {healthy_within: 10s}}"""
    text = plan.read_text(encoding="utf-8")
    plan.write_text(re.sub(r"\{kind: backup,.*", rehearsed, text), encoding="utf-8")

    good = shop.upgrade("2.0")
    assert (good.exit_code, good.document["verdict"]) == (0, "committed"), good.said
    assert "the old version lives on the new schema." in good.said

    bad = shop.upgrade("3.0")
    assert (bad.exit_code, bad.document["verdict"]) == (10, "refused"), bad.said
    assert "answers 500" in bad.said
    assert find_belongings(ledger_bed.client, shop.project) == belongings
