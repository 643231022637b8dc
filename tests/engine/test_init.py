"""From ten compose files, shaped like those of well-known apps, to plans that lint clean and can be dry-run."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from orchestrator.cli import main

pytestmark = pytest.mark.docker

FILES = Path(__file__).parent / "compose_files"
HEALTH, MIGRATE, CURRENT, VARIABLE, APP = "--health-url", "--migrate", "--current", "--variable", "--app"


@dataclass(frozen=True)
class Case:
    """``answers``: what cannot be known and is asked; the rest is what the plan then says of the project."""

    services: list[str]
    database: str
    answers: Mapping[str, str] = field(default_factory=dict)
    variable: str = "APP_VERSION"
    pin: str = ""
    health: str | None = None
    migrate: list[str] | None = None
    edited: int = 1


CASES = {
    "cloud": Case(
        ["app", "cron"],
        "db",
        {CURRENT: "29.0.4-apache", HEALTH: "http://localhost:8080/status.php", MIGRATE: "on-start"},
        pin="29.0.4-apache",
        health="http://localhost:8080/status.php",
        edited=2,
    ),
    "code": Case(["server"], "db", {MIGRATE: "on-start"}, pin="1.22.3", health="http://localhost:3000/api/healthz"),
    "errors": Case(["cron", "web", "worker"], "postgres", pin="24.8.0", migrate=["upgrade", "upgrade", "--noinput"]),
    "feeds": Case(["feeds"], "db", pin="2.2.1"),
    "identity": Case(
        ["server", "worker"],
        "postgresql",
        {HEALTH: "http://localhost:9000/-/health/live/", MIGRATE: "on-start"},
        variable="IDENTITY_TAG",
        pin="2024.10.5",
        health="http://localhost:9000/-/health/live/",
        edited=0,
    ),
    "papers": Case(
        ["webserver"], "db", {CURRENT: "2.13.5", MIGRATE: "on-start"}, pin="2.13.5", health="http://localhost:8000/"
    ),
    "photos": Case(
        ["photos-server"],
        "database",
        {
            VARIABLE: "PHOTOS_SERVER_VERSION",
            CURRENT: "v1.120.0",
            HEALTH: "http://localhost:2283/api/server/ping",
            MIGRATE: "on-start",
        },
        variable="PHOTOS_SERVER_VERSION",
        pin="v1.120.0",
        health="http://localhost:2283/api/server/ping",
    ),
    "social": Case(
        ["web", "sidekiq"],
        "db",
        {APP: "web", MIGRATE: "web bundle exec rails db:migrate"},
        pin="v4.3.1",
        health="http://127.0.0.1:3000/health",
        migrate=["web", "bundle", "exec", "rails", "db:migrate"],
        edited=2,
    ),
    "stats": Case(
        ["stats"],
        "stats_db",
        {HEALTH: "http://127.0.0.1:8000/api/health"},
        pin="v2.1.4",
        health="http://127.0.0.1:8000/api/health",
    ),
    "wiki": Case(["wiki"], "postgres", pin="0.82.0@sha256:" + 64 * "3"),
}


@pytest.fixture(params=sorted(CASES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def call(*arguments: str | Path, input: str | None = None) -> Result:  # noqa: A002 - click's own word
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=input)


def copy(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(FILES / name, folder / name))


def options(case: Case) -> list[str]:
    return [word for pair in case.answers.items() for word in pair]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_exactly_what_cannot_be_known_is_asked_and_nothing_is_written_without_it(name: str, tmp_path: Path) -> None:
    folder, case = copy(name, tmp_path), CASES[name]
    before = snapshot(folder)
    done = call("init", folder, "--dry-run", "--yes", "--json")
    if case.answers:
        assert done.exit_code == 2, done.output
        error = json.loads(done.stdout)["error"]
        assert error["code"] == "usage.answer_needed"
        assert {word for word in error["hint"].split() if word.startswith("--")} == set(case.answers)
    else:
        assert done.exit_code == 0, done.output
    assert snapshot(folder) == before


def test_the_plan_lints_clean_says_what_is_so_and_can_be_dry_run(name: str, tmp_path: Path) -> None:
    folder, case = copy(name, tmp_path), CASES[name]
    before = snapshot(folder)
    done = call("init", folder, "--yes", *options(case))
    assert done.exit_code == 0, done.output
    plan = folder / "upgrade.yaml"
    linted = call("lint", plan)
    assert (linted.exit_code, "no problem" in linted.stdout) == (0, True), linted.output
    said = yaml.safe_load(plan.read_text(encoding="utf-8"))
    assert said["target"]["services"] == case.services
    assert said["target"].get("health", {}).get("url") == case.health
    assert said["target"].get("migrate") == case.migrate
    assert said["database"]["service"] == case.database
    assert f"{case.variable}={case.pin}" in (folder / ".env").read_text(encoding="utf-8").splitlines()
    assert_only_images_differ(before, snapshot(folder), case)
    assert (folder / "backups").stat().st_mode & 0o777 == 0o700
    # Nothing of these apps runs here, which is what its first state says; the rest is told all the same.
    dry = call("run", plan, "--dry-run")
    assert dry.exit_code == 10, dry.output
    assert "No container of" in dry.stdout
    assert all(state in dry.stdout for state in ("preflight", "rehearse", "migrate", "commit"))


def assert_only_images_differ(before: dict[str, bytes], after: dict[str, bytes], case: Case) -> None:
    assert set(after) - set(before) - {".env"} == {"upgrade.yaml", "plan.schema.json"}
    edited = 0
    for file in (file for file in before if file.endswith((".yml", ".yaml"))):
        lines, changed = before[file].splitlines(keepends=True), after[file].splitlines(keepends=True)
        assert len(lines) == len(changed)
        pairs = [(old, new) for old, new in zip(lines, changed, strict=True) if old != new]
        assert all(b"image:" in old and b"${" + case.variable.encode() + b"}" in new for old, new in pairs)
        edited += len(pairs)
    assert edited == case.edited
    assert after[".env"].startswith(before.get(".env", b""))


def test_a_plan_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    folder = copy("feeds", tmp_path)
    (folder / "upgrade.yaml").write_text("mine", encoding="utf-8")
    before = snapshot(folder)
    done = call("init", folder, "--yes")
    assert done.exit_code == 2
    assert "is there already" in done.stderr
    assert snapshot(folder) == before


def test_without_a_terminal_nothing_is_written_and_nothing_hangs(tmp_path: Path) -> None:
    folder = copy("feeds", tmp_path)
    before = snapshot(folder)
    done = call("init", folder)
    assert done.exit_code == 10
    assert "--yes" in done.stderr
    assert snapshot(folder) == before


@pytest.mark.parametrize(("typed", "exit_code"), [("2.13.5\n\ny\n", 0), ("2.13.5\n\nn\n", 10), ("", 2)])
def test_at_a_terminal_each_question_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, exit_code: int
) -> None:
    monkeypatch.setattr("orchestrator.live.operator.has_terminal", lambda: True)
    folder = copy("papers", tmp_path)
    done = call("init", folder, input=typed)
    assert done.exit_code == exit_code, done.output
    assert "Which version of the app runs now?" in done.stderr
    assert (folder / "upgrade.yaml").exists() is (exit_code == 0)


def test_files_that_are_named_are_what_a_run_reads_too(tmp_path: Path) -> None:
    folder = copy("feeds", tmp_path)
    (folder / "compose.yml").rename(folder / "base.yml")
    (folder / "more.yml").write_text("services: {feeds: {image: 'feeds/feeds:2.2.2'}}\n", encoding="utf-8")
    done = call("init", folder, "-f", "base.yml", "-f", "more.yml", "--yes")
    assert done.exit_code == 0, done.output
    assert (folder / ".env").read_text(encoding="utf-8") == "COMPOSE_FILE=base.yml:more.yml\nAPP_VERSION=2.2.2\n"
    assert "'feeds/feeds:${APP_VERSION}'" in (folder / "more.yml").read_text(encoding="utf-8")
    assert "No container of" in call("run", folder / "upgrade.yaml", "--dry-run").stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "no compose file"),
        ("services: [", "Compose cannot read"),
        ("services:\n  app:\n    build: .\n  db:\n    image: postgres:15\n", "is built here"),
        ("services:\n  app:\n    image: a/b:1.2.3\n  db:\n    image: mariadb:11\n", "another kind of database"),
        (
            "services:\n  app:\n    profiles: [full]\n    image: a/b:1.2.3\n  db:\n    image: postgres:15\n",
            "COMPOSE_PROFILES",
        ),
    ],
)
def test_what_cannot_be_upgraded_is_refused_with_a_sentence(tmp_path: Path, text: str | None, told: str) -> None:
    if text is not None:
        (tmp_path / "compose.yaml").write_text(text, encoding="utf-8")
    done = call("init", tmp_path, "--yes")
    assert done.exit_code in (2, 10), done.output
    assert told in done.stderr
    assert not (tmp_path / "upgrade.yaml").exists()
