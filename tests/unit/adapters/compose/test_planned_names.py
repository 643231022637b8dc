"""Services, images and programs that a plan names: what is not there is told with what was meant."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.adapters.compose.planned_names import (
    find_job_obstacles,
    find_program_problem,
    find_stage_obstacles,
    find_unknown,
    read_profiles,
)
from orchestrator.adapters.compose.rendering import PLACEHOLDER, build_job_project, fill_template
from orchestrator.core.foresight import PlannedCommand

PATH = "/usr/bin:/bin"


def render(**images: str) -> str:
    return json.dumps({"name": "shop", "services": {name: {"image": image} for name, image in images.items()}})


TEMPLATE = render(
    app=f"registry.example/shop:{PLACEHOLDER}",
    jobs=f"registry.example/shop:{PLACEHOLDER}",
    tools=f"registry.example/shop-tools:{PLACEHOLDER}",
    migrator="registry.example/migrator:2",
    db="postgres:17",
)


def migration(*words: str) -> PlannedCommand:
    return PlannedCommand(place="target: migrate", service=words[0], argv=words[1:], migrates=True)


def step(*words: str) -> PlannedCommand:
    return PlannedCommand(place="states: tidy: with: run", service=words[0], argv=words[1:])


def look(command: PlannedCommand, here: tuple[str, ...] = ()) -> list[str]:
    rendering = fill_template(TEMPLATE, "v2@sha256:" + "0" * 64)
    found = find_job_obstacles(command, rendering, TEMPLATE, ("app",), here.__contains__)
    return [one.code for one in found]


@pytest.mark.parametrize(
    ("command", "codes"),
    [
        (migration("app", "migrate"), []),
        (migration("jobs"), []),
        (migration("app"), ["command.empty"]),
        (migration("migrator", "up"), ["service.other_image"]),
        (migration("tools", "up"), ["service.other_image"]),
        (step("app", "tidy"), []),
        (step("tools", "tidy"), ["service.other_image"]),
        (step("migrator", "up"), ["service.image_not_here"]),
        (step("db", "vacuumdb"), []),
    ],
)
def test_a_job_is_refused_where_its_image_is_not_the_releases_or_not_here(
    command: PlannedCommand, codes: list[str]
) -> None:
    assert look(command, here=("postgres:17",)) == codes


@pytest.mark.parametrize(
    ("hidden", "words"),
    [
        ({}, "Did you mean migrator? It has app, db, jobs, migrator, tools; correct the plan."),
        ({"migrater": ["ops"]}, "Add `COMPOSE_PROFILES=ops` to the project's .env."),
    ],
)
def test_a_service_that_is_not_there_is_told_with_its_place_and_what_was_meant(
    hidden: Mapping[str, list[str]], words: str
) -> None:
    named = {"target: migrate": ("migrater",), "target: disconnect": ("db",)}
    (unknown,) = find_unknown(named, TEMPLATE, lambda: hidden)
    assert unknown.obstacle.what.startswith("`target: migrate` names the service migrater")
    assert unknown.obstacle.hint == words


def test_profiles_are_asked_for_only_where_a_service_is_not_found() -> None:
    assert find_unknown({"target: disconnect": ("db",)}, TEMPLATE, lambda: pytest.fail("asked")) == []


def test_services_of_a_profile_are_read_from_a_rendering() -> None:
    services = {"tools": {"profiles": ["ops"]}, "app": {"profiles": []}, "db": {}}
    assert read_profiles(json.dumps({"services": services})) == {"tools": ["ops"]}


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (b"#!/bin/sh\ntrue\n", 0o755, ""),
        (b"#!/bin/sh\ntrue\n", 0o644, "is not executable"),
        (b"#!/opt/none/python3\n", 0o755, "its first line names /opt/none/python3"),
        (b"true\n", 0o755, "has no first line"),
        (b"", 0o755, "is empty"),
        (b"\x7fELF\0\0", 0o755, ""),
    ],
)
def test_a_program_of_the_host_is_looked_at_as_the_kernel_would(
    tmp_path: Path, content: bytes, mode: int, told: str
) -> None:
    path = tmp_path / "step"
    path.write_bytes(content)
    path.chmod(mode)
    problem = find_program_problem("./step", tmp_path, PATH)
    assert told in problem
    assert bool(problem) is bool(told)


@pytest.mark.parametrize(("program", "told"), [("sh", ""), ("no-such-program", PATH), ("./gone", "there is no")])
def test_a_program_that_is_not_there_is_told_with_where_it_was_looked_for(
    tmp_path: Path, program: str, told: str
) -> None:
    problem = find_program_problem(program, tmp_path, PATH)
    assert told in problem
    assert bool(problem) is bool(told)


def test_a_folder_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "steps").mkdir()
    assert "is no file" in find_program_problem("./steps", tmp_path, PATH)


def test_an_app_on_the_hosts_network_is_told_that_a_rehearsal_cannot_have_it() -> None:
    services = {"app": {"network_mode": "host"}, "jobs": {"network_mode": "bridge"}, "db": {}}
    (found,) = find_stage_obstacles(json.dumps({"services": services}), ("app", "jobs", "app"))
    assert found.code == "rehearse.host_network"
    assert found.what.startswith("app uses the host's network")
    assert find_stage_obstacles(json.dumps({"services": services}), ("jobs",)) == []


@pytest.mark.parametrize(
    ("logging", "default", "driver"),
    [
        (None, "json-file", None),
        (None, "none", "local"),
        ({"driver": "none"}, "json-file", "local"),
        ({"driver": "syslog"}, "json-file", "syslog"),
        ({"driver": "gelf", "options": {"cache-disabled": "true"}}, "json-file", "local"),
        ({"driver": "journald", "options": {"tag": "app"}}, "json-file", "journald"),
        ({"options": {"max-size": "1m"}}, "json-file", None),
    ],
)
def test_a_job_says_what_it_says_where_it_can_be_read(
    logging: dict[str, object] | None, default: str, driver: str | None
) -> None:
    services = {"app": {"image": "shop:1", **({"logging": logging} if logging else {})}}
    job = json.loads(build_job_project(json.dumps({"services": services}), "app", log_driver=default))
    assert job["services"]["app"].get("logging", {}).get("driver") == driver
