"""Known values are guessed, risky ones asked for, impossible projects refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.errors import UsageError
from orchestrator.init.interview import Interview
from orchestrator.init.proposal import Project, Proposal, propose
from orchestrator.plan.load import parse_plan
from orchestrator.plan.schema import Plan
from states.registry import KINDS

FOLDER = Path("/srv/app")
APP: dict[str, Any] = {
    "image": "example/app:1.2.3",
    "environment": {"DATABASE_URL": "postgres://app:secret@db:5432/app", "RUN_MIGRATIONS": "1"},
    "ports": [{"target": 80, "published": "8080", "protocol": "tcp"}],
    "healthcheck": {"test": ["CMD-SHELL", "curl -f http://localhost/health || exit 1"]},
    "restart": "always",
}
DB: dict[str, Any] = {"image": "postgres:15", "environment": {"POSTGRES_USER": "app"}, "restart": "always"}


def suggest(services: dict[str, Any], env: str | None = None, **given: str) -> tuple[Proposal, Plan]:
    rendering = json.dumps({"name": "app", "services": services})
    written = "\n".join(
        f"  {name}:\n    image: {one.get('written', one['image'])}" for name, one in services.items() if "image" in one
    )
    project = Project(FOLDER, rendering, {FOLDER / "compose.yaml": f"services:\n{written}\n"}, env)
    options = {f"--{name.replace('_', '-')}": value for name, value in given.items()}
    proposal = propose(project, FOLDER / "upgrade.yaml", Interview(options, lambda topic: None))
    return proposal, parse_plan(proposal.plan.after, FOLDER / "upgrade.yaml", KINDS)


def open_questions(services: dict[str, Any], env: str | None = None) -> set[str]:
    interview = Interview({}, lambda topic: None)
    rendering = json.dumps({"name": "app", "services": services})
    written = "\n".join(f"  {name}:\n    image: {one.get('written', one['image'])}" for name, one in services.items())
    project = Project(FOLDER, rendering, {FOLDER / "compose.yaml": f"services:\n{written}\n"}, env)
    with pytest.raises(UsageError):
        propose(project, FOLDER / "upgrade.yaml", interview)
    return {topic.option for topic in interview.missing}


def test_init_does_not_ask_for_values_of_the_compose_file() -> None:
    proposal, plan = suggest({"app": APP, "db": DB})
    assert plan.target.services == ("app",)
    assert plan.target.image == "example/app"
    assert plan.target.health.url == "http://localhost:8080/health"
    assert plan.target.migrate == ()
    assert plan.database is not None
    assert (plan.database.service, plan.database.name) == ("db", None)
    assert [change.path.name for change in proposal.changes] == ["compose.yaml", ".env"]
    assert "APP_VERSION=1.2.3\n" in proposal.changes[1].after


def test_a_tag_with_a_default_needs_no_edit_but_its_variable() -> None:
    app = APP | {"written": "example/app:${TAG:-1.2.3}"}
    proposal, plan = suggest({"app": app, "db": DB}, "A=1")
    assert plan.target.version_variable == "TAG"
    assert [(change.path.name, change.after) for change in proposal.changes] == [(".env", "A=1\nTAG=1.2.3\n")]


def test_a_variable_that_is_set_already_needs_no_edit_at_all() -> None:
    app = APP | {"written": "example/app:$TAG"}
    proposal, _ = suggest({"app": app, "db": DB}, "TAG=1.2.3\n")
    assert proposal.changes == ()


def test_a_digest_goes_into_the_variable_with_its_tag() -> None:
    digest = "sha256:" + "a" * 64
    proposal, plan = suggest({"app": APP | {"image": f"localhost:5000/app:1.2.3@{digest}"}, "db": DB})
    assert plan.target.image == "localhost:5000/app"
    assert proposal.changes[1].after == f"APP_VERSION=1.2.3@{digest}\n"


def test_a_name_that_is_taken_is_not_used() -> None:
    proposal, plan = suggest({"app": APP, "db": DB}, "APP_VERSION=of-something-else\n")
    assert plan.target.version_variable == "APP_VERSION_2"
    assert proposal.changes[1].after == "APP_VERSION=of-something-else\nAPP_VERSION_2=1.2.3\n"


@pytest.mark.parametrize("tag", ["latest", "release", "v2", "29", "1.2.3-alpine", "main", ""])
def test_a_tag_that_names_no_single_release_is_asked(tag: str) -> None:
    image = f"example/app:{tag}".rstrip(":")
    assert open_questions({"app": APP | {"image": image}, "db": DB}) == {"--current"}


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2.3", "2024.10.5", "2024.05", "1.2.3-rc1", "0.24"])
def test_a_tag_that_names_a_release_is_taken(tag: str) -> None:
    proposal, _ = suggest({"app": APP | {"image": f"example/app:{tag}"}, "db": DB})
    assert proposal.answers["--current"] == tag


def test_a_variable_that_another_image_follows_is_not_taken_unasked() -> None:
    app = APP | {"written": "example/app:${TAG}"}
    learner = {"image": "example/learner:1.2.3", "written": "example/learner:${TAG}", "restart": "always"}
    assert open_questions({"app": app, "learner": learner, "db": DB}, "TAG=1.2.3\n") == {"--variable"}


def test_nothing_shows_how_the_schema_is_migrated() -> None:
    app = APP | {"environment": {"DB_HOST": "db"}}
    assert open_questions({"app": app, "db": DB}) == {"--migrate"}


def test_a_job_of_the_same_image_that_migrates_is_the_migration_and_no_service() -> None:
    job = {"image": APP["image"], "command": ["./manage.py", "migrate"]}
    app = APP | {"depends_on": {"setup": {"condition": "service_completed_successfully"}}}
    _, plan = suggest({"setup": job, "app": app, "db": DB})
    assert plan.target.services == ("app",)
    assert plan.target.migrate == ("setup", "./manage.py", "migrate")


def test_two_apps_that_both_use_the_database_are_asked_for() -> None:
    other = APP | {"image": "example/other:3.0.0"}
    assert "--app" in open_questions({"app": APP, "other": other, "db": DB})


def test_of_two_servers_the_one_that_the_app_names_is_its_database() -> None:
    _, plan = suggest({"app": APP, "db": DB, "reports-db": DB})
    assert plan.database is not None
    assert plan.database.service == "db"


def test_init_asks_which_of_two_equal_servers_is_the_database() -> None:
    app = APP | {"environment": {"RUN_MIGRATIONS": "1"}}
    assert open_questions({"app": app, "a-db": DB, "b-db": DB}) == {"--database"}


def test_a_pooler_is_disconnected_and_is_no_database() -> None:
    app = APP | {"environment": {"DB_HOST": "pgbouncer", "DB_NAME": "shop", "AUTO_MIGRATE": "true"}}
    pooler = {"image": "edoburu/pgbouncer:1", "environment": {"DB_HOST": "db"}, "restart": "always"}
    _, plan = suggest({"app": app, "pgbouncer": pooler, "cache": {"image": "redis:7"}, "db": DB})
    assert plan.target.disconnect == ("pgbouncer",)
    assert plan.database is not None
    assert (plan.database.service, plan.database.name) == ("db", "shop")


@pytest.mark.parametrize(
    "opens",
    [
        {"network_mode": "host", "ports": []},
        {"healthcheck": {"test": ["CMD", "true"]}, "health": "http://localhost:9999/health"},
        {"healthcheck": {"test": ["CMD", "true"]}, "health": "https://app.example/health"},
    ],
)
def test_a_gate_that_cannot_be_closed_stays_open(opens: dict[str, Any]) -> None:
    health = opens.pop("health", "http://localhost:8080/health")
    _, plan = suggest({"app": APP | opens, "db": DB}, health_url=health)
    assert plan.states["start"].options.model_dump()["gate"] == "open"


@pytest.mark.parametrize(
    ("services", "code"),
    [
        ({"app": {"build": {}, "environment": {}}, "db": DB}, "usage.app_is_built"),
        ({"app": APP, "db": {"image": "mariadb:11"}}, "usage.no_database"),
        ({"cache": {"image": "redis:7"}}, "usage.no_app"),
        ({}, "usage.no_app"),
    ],
)
def test_project_that_cannot_be_upgraded_is_refused(services: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as raised:
        suggest(services)
    assert raised.value.code == code
    assert "Nothing was written" in raised.value.impact


@pytest.mark.parametrize(
    ("option", "answer"),
    [("app", "nobody"), ("database", "nobody"), ("migrate", "nobody ./x"), ("migrate", "'"), ("health_url", "ftp://x")],
)
def test_an_answer_that_cannot_be_is_refused(option: str, answer: str) -> None:
    with pytest.raises(UsageError) as raised:
        suggest({"app": APP, "db": DB}, **{option: answer})
    assert raised.value.code == "usage.answer_invalid"


def test_all_missing_answers_are_reported_at_once_with_their_options() -> None:
    app = {"image": "example/app", "ports": APP["ports"]}
    with pytest.raises(UsageError) as raised:
        suggest({"app": app, "db": DB})
    for option in ("--current", "--health-url", "--migrate"):
        assert option in raised.value.hint


def test_every_answer_can_be_given_as_an_option() -> None:
    _, plan = suggest(
        {"app": APP, "db": DB},
        migrate="app ./manage.py migrate --noinput",
        health_url="http://localhost:8080/other",
        repository="owner/app",
        name="my app".replace(" ", "-"),
        database_name="elsewhere",
        database_user="admin",
        variable="RELEASE",
        backups="/backups/app",
    )
    assert plan.target.migrate == ("app", "./manage.py", "migrate", "--noinput")
    assert plan.releases.repository == "owner/app"
    assert plan.name == "my-app"
    assert plan.database is not None
    assert (plan.database.user, plan.database.name) == ("admin", "elsewhere")
    assert plan.backups.directory == Path("/backups/app")


@pytest.mark.parametrize(
    ("tag", "answer"),
    [
        ("postgresql-v2.13.2", "2.13.2"),
        ("29-fpm", "29.0.1"),
        ("29-fpm-alpine", "29.0.1-fpm"),
        ("version-v0.4", "v0.4"),
        ("alpine", "3.1.0"),
        ("latest-rootless", "1.24.3"),
        ("latest", "2.0.0-alpine"),
    ],
)
def test_an_answer_that_names_another_image_than_the_running_one_is_refused(tag: str, answer: str) -> None:
    with pytest.raises(UsageError) as caught:
        suggest({"app": APP | {"image": f"example/app:{tag}"}, "db": DB}, current=answer)
    assert caught.value.code == "usage.other_image"
    assert f"--current {tag}" in caught.value.hint


@pytest.mark.parametrize(
    ("tag", "answer"),
    [
        ("latest", "1.24.3"),
        ("stable", "v1.24.3"),
        ("2", "2.13.2"),
        ("v2-rc", "v2.0.0-rc.3"),
        ("postgresql-latest", "postgresql-v2.13.2"),
        ("29-fpm", "29.0.1-fpm"),
        ("postgresql-v2.13.2", "postgresql-v2.13.2"),
    ],
)
def test_an_answer_may_say_more_exactly_what_the_running_tag_names(tag: str, answer: str) -> None:
    proposal, _ = suggest({"app": APP | {"image": f"example/app:{tag}"}, "db": DB}, current=answer)
    assert proposal.changes[-1].after == f"APP_VERSION={answer}\n"


def test_a_variable_that_the_compose_file_uses_elsewhere_is_not_made_the_version() -> None:
    rendering = json.dumps({"name": "app", "services": {"app": APP, "db": DB}})
    text = (
        "services:\n  app:\n    image: example/app:1.2.3\n    build: {args: {V: '${APP_VERSION:-dev}'}}\n"
        "  db:\n    image: postgres:15\n"
    )
    project = Project(FOLDER, rendering, {FOLDER / "compose.yaml": text}, None)
    proposal = propose(project, FOLDER / "upgrade.yaml", Interview({}, lambda topic: None))
    assert proposal.variable == "APP_VERSION_2"


def test_where_an_image_is_built_here_a_registry_is_not_taken_for_its_source_unasked() -> None:
    built = APP | {"build": {"context": "."}}
    assert "--repository" in open_questions({"app": built, "db": DB})
    _, plan = suggest({"app": built, "db": DB}, app="app", repository="registry")
    assert plan.target.services == ("app",)


def test_question_about_a_flavour_has_an_example_that_keeps_it() -> None:
    with pytest.raises(UsageError) as caught:
        suggest({"app": APP | {"image": "example/app:29-fpm-alpine"}, "db": DB})
    assert caught.value.code == "usage.answer_needed"
    assert "--current 29-fpm-alpine" in caught.value.hint
