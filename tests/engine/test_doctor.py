"""`doctor` on the real engine: all is well on a sound host, and each broken set-up is reported with its remedy."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.engine.installation import Install, Installation, find_belongings, orchestrator, write_ledger_plan

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

NOWHERE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}


def run_checks(ledger: Installation, environment: dict[str, str] | None = None) -> dict[str, dict[str, str]]:
    """Findings of `doctor`, by the name of the check; the exit code says the same."""
    ended = orchestrator("doctor", str(ledger.plan), "--json", environment=environment)
    checks = ended.document["checks"]
    assert isinstance(checks, list), ended.said
    found = {check["name"]: check for check in checks}
    ill = any(check["status"] in ("failed", "skipped") for check in checks)
    assert ended.exit_code == (10 if ill else 0), ended.said
    return found


def find_failed(found: dict[str, dict[str, str]]) -> dict[str, str]:
    """Check → code of what is wrong; each has a command or an advice."""
    failed = {name: check for name, check in found.items() if check["status"] == "failed"}
    assert all(check["mend"] or check["advice"] for check in failed.values())
    return {name: check["code"] for name, check in failed.items()}


@contextmanager
def edited(ledger: Installation, before: str, after: str) -> Iterator[None]:
    text = ledger.plan.read_text(encoding="utf-8")
    assert before in text
    ledger.plan.write_text(text.replace(before, after, 1), encoding="utf-8")
    yield
    ledger.plan.write_text(text, encoding="utf-8")


def test_doctor_tells_what_is_broken_and_leaves_nothing_behind(install: Install) -> None:
    ledger = install()
    host = ledger.host
    before = find_belongings(host.client, host.project)
    well = run_checks(ledger)
    assert find_failed(well) == {}
    assert {"engine", "database rights", "rehearsal", "registry", "gate", "clock"} <= well.keys()
    assert find_belongings(host.client, host.project) == before
    assert host.psql("SELECT datname FROM pg_database WHERE datname LIKE 'doctor%'") == ""

    write_ledger_plan(host, ledger.feed, shipped="plain.yaml")
    away = run_checks(ledger, NOWHERE)
    assert find_failed(away) == {"engine": "engine.unreachable"}
    assert away["services"]["status"] == away["database"]["status"] == "skipped"
    assert away["journal"]["status"] == "ok"

    with edited(ledger, "directory: backups", "directory: /proc/backups"):
        assert find_failed(run_checks(ledger))["backup folder"] == "refused.backup_folder"

    host.psql("CREATE ROLE reader LOGIN IN ROLE pg_monitor")
    with edited(ledger, "  service: db\n", "  service: db\n  user: reader\n"):
        assert find_failed(run_checks(ledger)) == {"database": "database.rights"}

    ledger.feed.path.rename(ledger.feed.path.with_suffix(".away"))
    env = host.folder / ".env"
    content = env.read_bytes()
    env.write_bytes(content.replace(b"APP_VERSION=", b"OTHER="))
    both = find_failed(run_checks(ledger))
    ledger.feed.path.with_suffix(".away").rename(ledger.feed.path)
    env.write_bytes(content)
    assert both["project"].startswith("env.")
    assert both["releases"].startswith("releases.") if "releases" in both else "services" not in both

    host.stop("app")
    down = run_checks(ledger)
    assert find_failed(down) == {"services": "refused.not_running"}
    assert f"--project-directory {host.folder} up -d app" in down["services"]["mend"]
    host.down()
