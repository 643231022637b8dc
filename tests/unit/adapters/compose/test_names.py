"""Names are names: whatever password an app has chosen, its services, images and databases stay readable."""

import json
from pathlib import Path

import pytest

from orchestrator.adapters.compose.names import find_plan_names, find_rendering_names
from orchestrator.adapters.compose.secret_sources import learn_rendering, read_project_names, read_project_secrets
from orchestrator.core.fact_names import find_fact_names
from orchestrator.core.facts import Facts
from orchestrator.redaction.redactor import Redactor
from tests.tools.bench import Bench

URL = "postgresql://kinto:kinto@db/kinto"
KINTO = {
    "name": "kinto-stack",
    "services": {
        "builder": {"image": "acme/kinto-builder:3.1.0", "environment": {"DATABASE_URL": URL}},
        "viewer": {"image": "acme/kinto-viewer:3.1.0", "command": ["serve", "--requirepass", "topsecret"]},
        "db": {
            "image": "postgres:16",
            "environment": {"POSTGRES_USER": "kinto", "POSTGRES_PASSWORD": "kinto", "POSTGRES_DB": "kinto"},
            "volumes": [{"type": "volume", "source": "dbdata", "target": "/var/lib/postgresql/data"}],
        },
    },
    "volumes": {"dbdata": {"name": "kinto-stack_dbdata"}},
}


def mask_for(rendering: object) -> Redactor:
    mask = Redactor()
    learn_rendering(mask, json.dumps(rendering))
    return mask


@pytest.mark.parametrize(
    "told",
    [
        "The failed database is kept as kinto__failed_20260101_020304.",
        "The project has no service 'kinto'; it has kinto-builder and kinto-viewer.",
        "orchestrator init --app builder --database-name kinto",
        "image acme/kinto-builder:3.1.0@sha256:" + "0" * 64,
        "docker compose --project-directory /opt/kinto exec db psql -U kinto kinto",
        "volume kinto-stack_dbdata, container kinto-stack-db-1, role kinto",
    ],
)
def test_what_is_told_of_an_app_whose_password_is_its_name_can_be_used(told: str) -> None:
    assert mask_for(KINTO).text(told) == told


def test_the_password_is_masked_still_where_a_form_speaks_of_one() -> None:
    masked = mask_for(KINTO).text(f"{URL} POSTGRES_PASSWORD=kinto topsecret")
    assert masked == "postgresql://kinto:***@db/kinto POSTGRES_PASSWORD=*** ***"


def test_a_password_that_is_a_name_is_told_with_its_owner() -> None:
    owner, what = mask_for(KINTO).find_open_secrets()["kinto"]
    assert owner.startswith("service ")
    assert what == "role"


@pytest.mark.parametrize(
    "password",
    [
        "postgres",
        "builder",
        "acme",
        "kinto-viewer",
        "dbdata",
        "kinto-stack",
        "3.1.0",
        "serve",
        "data",
        "acme/kinto-viewer",
    ],
)
def test_no_name_is_lost_whatever_the_password_is(password: str) -> None:
    rendering = json.loads(json.dumps(KINTO))
    rendering["services"]["db"]["environment"]["POSTGRES_PASSWORD"] = password
    mask = mask_for(rendering)
    told = f"acme/kinto-viewer:3.1.0 postgres:16 builder kinto-stack_dbdata serve /var/lib/postgresql/data {password}"
    assert mask.text(told) == told
    assert password in mask.find_open_secrets()


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("HOOK_URL", "https://hooks.example.com/services/T0A1B2C3/x9Y8z7W6v5U4", "x9Y8z7W6v5U4"),
        ("PUSH_URL", "https://x9Y8z7W6v5U4:x@push.example.com/a/b", "x9Y8z7W6v5U4"),
        ("TWILIO_USER", "AC8f14e45fceea167a5a36dedd4bea2543", "AC8f14e45fceea167a5a36dedd4bea2543"),
        ("DB_PASSWORD_USER", "rosebud", "rosebud"),
    ],
)
def test_a_secret_does_not_become_a_name_by_where_it_stands(name: str, value: str, secret: str) -> None:
    rendering = {"services": {"app": {"environment": {name: value}}}}
    assert secret not in find_rendering_names(rendering)


def test_a_word_behind_a_secret_option_is_no_command() -> None:
    rendering = {"services": {"app": {"command": ["--password", "rosebud"]}}}
    assert "rosebud" not in find_rendering_names(rendering)


def test_the_files_of_a_project_tell_names_before_compose_is_asked(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("POSTGRES_USER=kinto\nPOSTGRES_PASSWORD=kinto\n")
    (tmp_path / "compose.yaml").write_text(
        "services:\n  app:\n    image: acme/rosebud:1\n    environment:\n      PW: rosebud\n"
    )
    names = read_project_names(tmp_path, "APP_VERSION")
    assert {"kinto", "acme/rosebud", "rosebud", ".env", "compose.yaml", tmp_path.name} <= names.keys()
    assert "kinto" in set(read_project_secrets(tmp_path, "APP_VERSION"))


def test_a_plan_and_what_a_run_has_proven_tell_names_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    names = find_plan_names(bench.plan)
    assert {*bench.plan.target.services, bench.plan.target.image, *bench.plan.states, bench.plan.name} <= names.keys()
    facts = Facts({"snapshot": {"database": "ledger__snapshot_1"}, "target": {"release": {"version": "v1.1.0"}}})
    assert find_fact_names(facts) == {"ledger__snapshot_1": "database", "v1.1.0": "version"}


@pytest.mark.parametrize(
    "document", [None, [], 3, {"services": []}, {"services": {"a": None}, "name": 7, "volumes": 1}]
)
def test_a_rendering_of_another_shape_has_no_names(document: object) -> None:
    assert isinstance(find_rendering_names(document), dict)
