"""A service that a plan names and the compose files do not have is told by `lint`, with its place in the plan."""

from pathlib import Path

import pytest

from orchestrator.core.errors import PlanError
from orchestrator.init.plan_names import require_known_services
from orchestrator.plan.load import parse_plan
from states.registry import KINDS

PLAN = """\
plan: 1
name: app
target:
  project: {project}
  services: [{app}]
  image: example/app
  migrate: [{migrate}, migrate]
  disconnect: [{pooler}]
  health: {{url: "http://localhost:5100/health"}}
database: {{service: {db}}}
releases: {{source: registry}}
backups: {{directory: backups}}
"""
COMPOSE = "services:\n  app: {image: 'example/app:1'}\n  db: {image: 'postgres:15'}\n  pooler: {image: pgbouncer}\n"
NAMES = {"app": "app", "migrate": "app", "pooler": "pooler", "db": "db"}


def problems_of(folder: Path, **named: str) -> tuple[str, ...]:
    text = PLAN.format(project=folder, **{**NAMES, **named})
    try:
        require_known_services(parse_plan(text, folder / "plan.yaml", KINDS), KINDS)
    except PlanError as error:
        return error.problems if error.code == "plan.unknown_service" else (error.code,)
    return ()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
    return tmp_path


def test_a_plan_whose_services_are_all_there_is_taken(folder: Path) -> None:
    assert problems_of(folder) == ()


@pytest.mark.parametrize(
    ("word", "place"),
    [("app", "5:14: target.services.0"), ("migrate", "7:13: target.migrate.0"), ("pooler", "8:16: target.disconnect.0"),
     ("db", "10:12: database.service")],
)  # fmt: skip
def test_a_service_that_is_not_there_is_told_with_its_place(folder: Path, word: str, place: str) -> None:
    (problem, *more) = problems_of(folder, **{word: "appp"})
    assert problem == f"{folder / 'plan.yaml'}:{place}: the project has no service `appp`; did you mean `app`?"
    assert not [one for one in more if place in one]


def test_the_service_of_a_step_of_the_operator_is_looked_up_too(folder: Path) -> None:
    states = (
        "initial: own\nstates:\n"
        "  own: {kind: command, with: {on: nobody, run: [make], changes: nothing}, then: {done: over, failed: over}}\n"
        "  over: {end: refused}\n"
    )
    text = PLAN.format(project=folder, **NAMES) + states
    with pytest.raises(PlanError) as caught:
        require_known_services(parse_plan(text, folder / "plan.yaml", KINDS), KINDS)
    assert [line.split(": ", 1)[1] for line in caught.value.problems] == [
        "states.own.with.run: the project has no service `nobody`; valid here: `app`, `db`, `pooler`"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "services: [\n",
        "include: [https://example.org/a.git]\nservices: {}\n",
        "include: [nowhere.yml]\n",
        "x-all: &all {app: {}}\nservices:\n  <<: *all\n",
    ],
)
def test_unknown_service_is_not_reported_when_files_are_incomplete(tmp_path: Path, text: str) -> None:
    (tmp_path / "compose.yaml").write_text(text, encoding="utf-8")
    assert problems_of(tmp_path) == ()
    assert problems_of(tmp_path / "elsewhere") == ()


def test_services_of_overrides_includes_and_other_files_count(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("include: [b.yml]\nservices: {app: {}}\n", encoding="utf-8")
    (tmp_path / "b.yml").write_text("services: {db: {}}\n", encoding="utf-8")
    (tmp_path / "c.yml").write_text("services: {pooler: {profiles: [p]}}\n", encoding="utf-8")
    (tmp_path / ".env").write_text("COMPOSE_FILE=a.yml:c.yml\n", encoding="utf-8")
    assert problems_of(tmp_path) == ()
    assert len(problems_of(tmp_path, migrate="nobody")) == 1
