"""Obstacles are found before the app is down, on the real engine and a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from deploy.demo.bed import LABEL
from orchestrator.adapters.http.probe import HttpProbe
from tests.engine.installation import Ended, Install, Installation, find_belongings

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

HOLDER = "import os, time, psycopg; held = psycopg.connect(os.environ['DATABASE_URL']); time.sleep(600)"


@contextmanager
def overridden(ledger: Installation, services: dict[str, dict[str, object]]) -> Iterator[None]:
    path = ledger.host.folder / "docker-compose.override.yml"
    path.write_text(yaml.safe_dump({"services": services}), encoding="utf-8")
    yield
    path.unlink()


@contextmanager
def edited(ledger: Installation, **changes: dict[str, object]) -> Iterator[None]:
    """The plan with other values in its parts."""
    text = ledger.plan.read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    for part, values in changes.items():
        document[part] |= values
    ledger.plan.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    yield
    ledger.plan.write_text(text, encoding="utf-8")


def refuse(ledger: Installation) -> str:
    """What an upgrade is refused with before it has touched anything."""
    began = ledger.host.container("app").attrs["State"]["StartedAt"]
    ended = run(ledger)
    assert (ended.document["verdict"], ended.exit_code) == ("refused", 10), ended.said
    assert ledger.host.container("app").attrs["State"]["StartedAt"] == began
    return ended.said


def run(ledger: Installation) -> Ended:
    return ledger.run("--force", "--version", "v1.1.0", "--json")


def test_what_an_outage_would_show_is_told_while_the_old_version_serves(install: Install) -> None:
    ledger = install()
    host = ledger.host
    metrics: dict[str, object] = {
        "image": f"{host.repository}:v1.0.0",
        "command": ["python", "-c", HOLDER],
        "environment": {"DATABASE_URL": f"postgresql://ledger:{host.password}@db:5432/ledger"},
        "labels": {LABEL: host.owner},
        "healthcheck": {"disable": True},
        "stop_signal": "SIGKILL",
    }
    somebody = ["psql", "-U", "ledger", "-d", "ledger", "-c", "SELECT pg_sleep(600)"]
    host.psql("UPDATE pg_database SET datcollversion = '1.0' WHERE datname = 'ledger'", database="postgres")
    host.psql("CREATE DATABASE other", database="postgres")
    with overridden(ledger, {"metrics": metrics, "watcher": {**metrics, "profiles": ["watched"]}}):
        host.compose("up", "--detach", "metrics")
        host.container("db").exec_run(somebody, detach=True)
        with edited(ledger, target={"migrate": ["apps", "ledger", "migrate"], "disconnect": ["watcher"]}):
            said = refuse(ledger)
        for words in (
            "`target: migrate` names the service apps",
            "Did you mean app?",
            "names the service watcher, which belongs to the profile watched",
            "was made with the collation version 1.0",
            f"the service metrics (container {host.project}-metrics-1) as ledger",
            "target: disconnect: [metrics]",
            f"a program inside the container {host.project}-db-1 as ledger (psql",
        ):
            assert words in said, words
        host.psql("UPDATE pg_database SET datcollversion = NULL WHERE datname = 'ledger'", database="postgres")
        host.compose("rm", "--stop", "--force", "metrics")
    host.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(6%'")
    with edited(ledger, database={"name": "other"}):
        said = refuse(ledger)
    assert f"the service app (container {host.project}-app-1) is connected to ledger" in said
    assert "Write `name: ledger` under `database:`" in said
    host.down()


def test_a_server_on_another_port_and_a_job_whose_log_nobody_keeps_are_no_obstacle(install: Install) -> None:
    ledger = install()
    host = ledger.host
    check = ["CMD", "pg_isready", "--host", "127.0.0.1", "--port", "5433", "--username", "ledger"]
    db: dict[str, object] = {
        "command": ["postgres", "-p", "5433"],
        "healthcheck": {"test": check, "interval": "1s", "retries": 30},
    }
    app: dict[str, object] = {
        "environment": {"DATABASE_URL": f"postgresql://ledger:{host.password}@db:5433/ledger"},
        "logging": {"driver": "none"},
    }
    with overridden(ledger, {"db": db, "app": app}):
        host.up()
        ended = run(ledger)
        assert (ended.document["verdict"], ended.exit_code) == ("committed", 0), ended.said
        assert not [name for name in find_belongings(host.client, host.project)["containers"] if "migrate" in name]
        (log,) = (host.folder / ".orchestrator").rglob("migrate.log")
        assert "migrate: " in log.read_text(encoding="utf-8")
        assert HttpProbe().get(f"{host.url}/api/health", timeout_s=5).status == 200
    host.down()
