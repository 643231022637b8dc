"""Compose's command lines, its environment, and what is made of its rendering."""

import json
from pathlib import Path

import pytest

from orchestrator.adapters.compose.command import build_environment, config_command, job_command, up_command
from orchestrator.adapters.compose.errors import Ended, explain_compose_failure, explain_no_file
from orchestrator.adapters.compose.rendering import (
    PLACEHOLDER,
    Json,
    RestartPolicy,
    build_job_project,
    build_template,
    check_template,
    fill_template,
    find_dependencies,
    find_differing,
    read_restart_policy,
)
from orchestrator.core.errors import PlatformError

FOLDER = Path("/opt/app")
PIN = "v2@sha256:" + "a" * 64


def rendering_of(**services: object) -> str:
    return json.dumps({"name": "app", "services": services})


def test_a_project_is_rendered_as_json() -> None:
    assert config_command(FOLDER) == [
        *("docker", "compose", "--project-directory", "/opt/app", "config", "--format", "json"),
    ]


def test_services_come_up_without_pulling_or_building() -> None:
    assert up_command(FOLDER, ["app"], file=Path("/run/f.json"), name="n") == [
        *("docker", "compose", "--file", "/run/f.json", "--project-name", "n"),
        *("--project-directory", "/opt/app", "up", "--detach", "--no-build", "--pull", "never"),
        *("--no-deps", "--", "app"),
    ]


def test_a_job_is_named_labelled_and_never_removed_by_itself() -> None:
    argv = job_command(FOLDER, "j", ["app", "m", "-x"], file=Path("/run/f.json"), name="n", run_id="r1")
    assert argv[argv.index("run") :] == [
        *("run", "--detach", "--no-deps", "--no-TTY", "--name", "j"),
        *("--label", "upgrade-orchestrator.run=r1", "--", "app", "m", "-x"),
    ]
    assert "--rm" not in argv


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ("Cannot connect to the Docker daemon at unix:///run/docker.sock. Is it running?", "engine.unreachable"),
        ("failed to connect to the docker API at unix:///run/docker.sock", "engine.unreachable"),
        ('Conflict. The container name "/app" is already in use', "compose.failed"),
    ],
)
def test_an_engine_that_is_away_is_told_from_a_change_that_is_refused(errors: str, code: str) -> None:
    error = explain_compose_failure(Ended(1, "", errors))
    assert error.code == code
    assert errors in error.summary


def test_a_port_that_the_engine_has_not_given_back_is_told_from_other_refusals() -> None:
    taken = "Bind for 127.0.0.1:5100 failed: port is already allocated"
    assert "restart the engine" in explain_compose_failure(Ended(1, "", taken)).hint
    assert "restart the engine" not in explain_compose_failure(Ended(1, "", "No such image")).hint


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("no configuration file provided: not found", "compose.missing"),
        ("", "compose.missing"),
        ("env file /a/b.env not found: stat /a/b.env: no such file or directory", "compose.file_missing"),
        ("label file /a/l not found: stat /a/l: no such file or directory", "compose.file_missing"),
        ("open /a/other.yml: no such file or directory", "compose.file_missing"),
        ("stat /a/prod.yml: no such file or directory", "compose.file_missing"),
    ],
)
def test_a_file_that_a_project_names_is_told_from_a_project_that_is_not_there(words: str, code: str) -> None:
    error = explain_no_file(Path("/a"), words)
    assert error.code == code
    assert code == "compose.missing" or words in error.summary


def test_the_places_in_which_two_projects_differ_are_named() -> None:
    one: Json = {"services": {"app": {"image": "r:1", "build": {"args": {"V": "1"}}, "ports": [1]}, "gone": {}}}
    other: Json = {"services": {"app": {"image": "r:1", "build": {"args": {"V": "2"}}, "ports": [2]}, "new": {}}}
    places = ("services.app.build.args.V", "services.app.ports", "services.gone", "services.new")
    assert find_differing(one, other) == places
    assert find_differing(one, one) == ()


def test_a_child_gets_nothing_that_changes_the_project() -> None:
    ours = {"PATH": "/bin", "COMPOSE_FILE": "x", "APP_VERSION": "v9", "XDG_RUNTIME_DIR": "/run", "SECRET": "s"}
    assert build_environment({**ours, "DOCKER_CONTEXT": "c"}, "tcp://h") == {
        "PATH": "/bin",
        "XDG_RUNTIME_DIR": "/run",
        "DOCKER_HOST": "tcp://h",
        "COMPOSE_ANSI": "never",
        "COMPOSE_MENU": "0",
        "DOCKER_CLI_HINTS": "false",
        "COMPOSE_EXPERIMENTAL_GIT_REMOTE": "false",
        "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "false",
    }


def test_a_template_is_filled_with_the_pin_wherever_the_version_goes() -> None:
    app = {"image": f"r:{PLACEHOLDER}", "environment": {"V": "v1", "OTHER": "v1"}}
    filled = json.loads(fill_template(build_template(rendering_of(app=app), "V", "v1"), PIN))
    assert filled["services"]["app"] == {"image": f"r:{PIN}", "environment": {"V": PIN, "OTHER": "v1"}}


@pytest.mark.parametrize(
    ("services", "code"), [(["app"], None), (["db"], "env.variable_unused"), (["x"], "service.unknown")]
)
def test_services_must_exist_and_follow_the_version(services: list[str], code: str | None) -> None:
    template = rendering_of(app={"image": f"r:{PLACEHOLDER}"}, db={"image": "postgres:15"})
    found = None
    try:
        check_template(template, services, "V")
    except PlatformError as error:
        found = error.code
    assert found == code


def test_a_job_is_neither_built_nor_pulled_nor_restarted() -> None:
    project = build_job_project(rendering_of(app={"image": "r:1", "build": ".", "restart": "always"}), "app")
    assert json.loads(project)["services"]["app"] == {"image": "r:1", "pull_policy": "never", "restart": "no"}


def test_dependencies_are_found_through_others_once() -> None:
    rendering = rendering_of(
        app={"depends_on": {"cache": {}, "worker": {}}}, worker={"depends_on": {"app": {}, "db": {}}}, db={}, cache={}
    )
    assert sorted(find_dependencies(rendering, ["app"])) == ["cache", "db", "worker"]


@pytest.mark.parametrize(
    ("service", "policy"),
    [
        ({}, RestartPolicy("no")),
        ({"restart": "on-failure:3"}, RestartPolicy("on-failure", 3)),
        ({"restart": "unless-stopped"}, RestartPolicy("unless-stopped")),
        ({"deploy": {"restart_policy": {"condition": "any", "max_attempts": 2}}}, RestartPolicy("always", 2)),
    ],
)
def test_the_restart_policy_is_read_as_compose_reads_it(service: object, policy: RestartPolicy) -> None:
    assert read_restart_policy(rendering_of(app=service), "app") == policy
