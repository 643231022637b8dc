"""Each bad input has its own message and exit code, and changes nothing."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from deploy.demo.bed import FeedEntry
from tests.engine.installation import (
    ORCHESTRATOR,
    Ended,
    Install,
    Installation,
    find_belongings,
    orchestrator,
    write_ledger_plan,
)
from tests.engine.small_disk import small_disk

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

NOWHERE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
TINY_DISK_BYTES = 64 * 1024
BLOCKED_S = 30


@pytest.fixture(scope="module")
def ledger(install: Install) -> Iterator[Installation]:
    """One ledger for all: nothing here may change it."""
    ledger = install()
    yield ledger
    ledger.host.down()


@pytest.fixture(autouse=True)
def nothing_changes(ledger: Installation) -> Iterator[None]:
    """Containers, volumes, networks, `.env` and backups are afterwards as they were."""
    write_ledger_plan(ledger.host, ledger.feed)
    ledger.feed.announce("1.0.0", "1.1.0")
    before = _look(ledger)
    yield
    assert _look(ledger) == before


def _look(ledger: Installation) -> object:
    host = ledger.host
    started = [host.container(service).attrs["State"]["StartedAt"] for service in ("app", "db")]
    databases = host.psql("SELECT datname FROM pg_database ORDER BY 1")
    belongings = find_belongings(host.client, host.project)
    return started, databases, belongings, ledger.read_env(), ledger.backups()


def _edited(ledger: Installation, before: str, after: str) -> Ended:
    text = ledger.plan.read_text(encoding="utf-8")
    assert text.count(before) >= 1, text
    ledger.plan.write_text(text.replace(before, after, 1), encoding="utf-8")
    return ledger.run("--force")


def test_no_such_plan() -> None:
    ended = orchestrator("run", "/nonexistent/plan.yaml", "--force")
    assert ended.exit_code == 2
    assert "There is no plan /nonexistent/plan.yaml" in ended.said


def test_a_plan_that_is_no_yaml_is_told_with_its_line(ledger: Installation) -> None:
    ledger.plan.write_text("plan: 1\nname: [ledger\ntarget: {}\n", encoding="utf-8")
    ended = ledger.run("--force")
    assert ended.exit_code == 2
    assert "no usable YAML" in ended.said
    assert f"{ledger.plan}:3:" in ended.said


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("name: ledger", "nmae: ledger", ["unknown key", "name"]),
        ("kind: migrate", "kind: migrat", ["migrat", "migrate"]),
        ("newer: preflight", "newest: preflight", ["newest", "newer"]),
        ("newer: preflight", "newer: preflihgt", ["preflihgt", "preflight"]),
        ("name: ledger", "name: ledger\nname: again", ["duplicate key `name`", "first at line 2"]),
        ("      newer: preflight\n", "", ["newer"]),
        ("  unchanged:\n", "  island:\n    end: refused\n  unchanged:\n", ["island", "nothing leads here"]),
    ],
    ids=["key", "kind", "outcome", "target", "duplicate", "missing-transition", "unreachable"],
)
def test_a_mistake_in_the_plan_is_told_with_place_and_closest_word(
    ledger: Installation, before: str, after: str, words: list[str]
) -> None:
    ended = _edited(ledger, before, after)
    assert ended.exit_code == 2, ended.said
    assert f"{ledger.plan}:" in ended.said
    for word in words:
        assert word in ended.said


def test_a_version_that_does_not_exist(ledger: Installation) -> None:
    ended = ledger.run("--force", "--version", "v9.9.9", "--json")
    assert ended.exit_code == 10, ended.said
    assert "9.9.9" in str(ended.document["reason"])


def test_an_older_version_needs_to_be_allowed(ledger: Installation) -> None:
    ledger.feed.write([FeedEntry("v0.9.0"), FeedEntry("v1.0.0")])
    ended = ledger.run("--force", "--version", "v0.9.0", "--json")
    assert ended.exit_code == 10, ended.said
    assert "--allow-downgrade" in ended.said


def test_an_image_that_the_registry_does_not_have(ledger: Installation) -> None:
    ledger.feed.write([FeedEntry("v1.0.0"), FeedEntry("v7.0.0")])
    ended = ledger.run("--force", "--json")
    assert ended.exit_code == 10, ended.said
    assert "v7.0.0" in str(ended.document["reason"])


def test_an_engine_that_does_not_run(ledger: Installation) -> None:
    ended = ledger.run("--force", environment=NOWHERE)
    assert ended.exit_code == 10, ended.said
    assert "engine" in ended.said.lower()
    assert "Traceback" not in ended.said


def test_a_database_service_that_is_not_there(ledger: Installation) -> None:
    ended = _edited(ledger, "  service: db\n", "  service: dbb\n")
    assert ended.exit_code in (2, 10), ended.said
    assert "dbb" in ended.said


def test_a_database_that_does_not_exist(ledger: Installation) -> None:
    ended = _edited(ledger, "  service: db\n", "  service: db\n  name: nosuch\n")
    assert ended.exit_code == 10, ended.said
    assert "nosuch" in ended.said


def test_a_database_role_that_does_not_exist(ledger: Installation) -> None:
    ended = _edited(ledger, "  service: db\n", "  service: db\n  user: nobody\n")
    assert ended.exit_code == 10, ended.said
    assert "nobody" in ended.said


def test_a_database_that_is_down(install: Install) -> None:
    down = install()
    down.host.stop("db")
    ended = down.run("--force", "--json")
    assert ended.exit_code == 10, ended.said
    assert "db" in ended.said
    assert down.backups() == []
    down.host.down()


def test_a_backup_folder_that_cannot_be_written(ledger: Installation, tmp_path: Path) -> None:
    # /proc refuses root as well, whom a mode would not stop.
    ended = _edited(ledger, "directory: backups", "directory: /proc/backups")
    assert ended.exit_code == 10, ended.said
    assert "/proc/backups" in ended.said


def test_a_backup_folder_that_is_too_full(ledger: Installation, tmp_path: Path) -> None:
    with small_disk(tmp_path / "backups", "tmpfs", TINY_DISK_BYTES) as disk:
        ended = _edited(ledger, "directory: backups", f"directory: {disk.folder}")
    assert ended.exit_code == 10, ended.said
    assert "room" in ended.said


def test_an_env_file_without_the_variable(ledger: Installation) -> None:
    env = ledger.host.folder / ".env"
    before = env.read_bytes()
    env.write_bytes(before.replace(b"APP_VERSION=v1.0.0\n", b""))
    try:
        ended = ledger.run("--force")
    finally:
        env.write_bytes(before)
    assert ended.exit_code == 10, ended.said
    assert "APP_VERSION" in ended.said


def test_a_variable_that_the_compose_file_does_not_use(ledger: Installation) -> None:
    ended = _edited(ledger, "target:\n", "target:\n  version_variable: BACKUP_NOTE\n")
    assert ended.exit_code == 10, ended.said
    assert "BACKUP_NOTE" in ended.said


def test_without_a_terminal_and_without_force_nobody_has_agreed(ledger: Installation) -> None:
    ended = ledger.run("--json")
    assert ended.exit_code == 10, ended.said
    assert "--force" in str(ended.document["reason"])


def test_release_notes_full_of_escapes_reach_no_terminal(ledger: Installation) -> None:
    notes = "\x1b]0;owned\x07\x1b[2J\x9b31mred \u202egnp.exe\r overwritten"
    ledger.feed.write([FeedEntry("v1.0.0"), FeedEntry("v1.1.0", notes=notes)])
    for arguments in (["--check"], ["--dry-run"]):
        ended = ledger.run(*arguments)
        assert ended.exit_code in (0, 100), ended.said
        for harmful in ("\x1b", "\x07", "\x9b", "\u202e", "\r"):
            assert harmful not in ended.stdout + ended.stderr


def test_a_dry_run_names_every_state_and_fits_80_columns(ledger: Installation) -> None:
    ended = ledger.run("--dry-run")
    assert ended.exit_code == 0, ended.said
    assert max(map(len, ended.stdout.splitlines())) <= 80
    for state in ("backup", "stop", "migrate", "health", "restore", "rollback"):
        assert state in ended.stdout


def test_check_tells_of_a_newer_release_with_its_own_exit_code(ledger: Installation) -> None:
    ended = ledger.run("--check", "--json")
    assert ended.exit_code == 100
    assert ended.document["latest"] == "1.1.0"


def test_a_second_run_is_refused_while_one_is_at_work(
    ledger: Installation, hold_lock: Callable[[], subprocess.Popen[bytes]]
) -> None:
    first = hold_lock()
    ended = ledger.run("--force", "--json")
    assert first.poll() is None
    assert ended.exit_code == 75, ended.said
    error = ended.document["error"]
    assert isinstance(error, dict)
    assert error["code"] == "lock.held"


@pytest.fixture
def hold_lock(ledger: Installation, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start a real run that waits inside its first state: a command that takes its time."""
    started: list[subprocess.Popen[bytes]] = []
    marker = tmp_path / "at-work"

    def start() -> subprocess.Popen[bytes]:
        plan = ledger.host.folder / "slow.yaml"
        document = {
            **_read_plan(ledger),
            "states": {
                "wait": {
                    "kind": "command",
                    "then": {"done": "end", "failed": "end"},
                    "with": {
                        "run": ["sh", "-c", f"touch {marker}; sleep {BLOCKED_S}"],
                        "on": "host",
                        "changes": "nothing",
                    },
                },
                "end": {"end": "refused"},
            },
            "initial": "wait",
        }
        plan.write_text(json.dumps(document), encoding="utf-8")
        process = subprocess.Popen(
            [str(ORCHESTRATOR), "run", str(plan), "--force"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        while not marker.exists():
            assert process.poll() is None, "the first run ended before it was at work"
        return process

    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        process.wait(BLOCKED_S)


def _read_plan(ledger: Installation) -> dict[str, object]:
    document = yaml.safe_load(ledger.plan.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document
