"""Every place where an app keeps a secret on its host is looked into, and none of them must be there."""

import base64
import json
from pathlib import Path

from orchestrator.adapters.compose.secret_sources import (
    learn_run,
    read_logins,
    read_project_secrets,
    read_rendering_secrets,
    read_token,
)
from orchestrator.redaction.redactor import Redactor

COMPOSE = """\
services:
  app:
    image: you/app:${APP_VERSION}
    env_file: [app.env]
    environment:
      - SMTP_PASSWORD=in-the-compose-file
      CACHE_URL: redis://:in-an-address@cache:6379
"""


def test_the_files_of_a_project_are_read_but_not_its_version(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("APP_VERSION=v1.0.0-9f8e7d6c\nPOSTGRES_PASSWORD='in-the-env'\nTZ=Europe/Berlin\n")
    (tmp_path / "app.env").write_text("OPAQUE=x8Kq2LmZ9\n")
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    found = set(read_project_secrets(tmp_path, "APP_VERSION"))
    assert {"in-the-env", "x8Kq2LmZ9", "in-the-compose-file", "in-an-address"} <= found
    assert not {"v1.0.0-9f8e7d6c", "Europe/Berlin", "you/app:${APP_VERSION}"} & found


def test_a_rendering_leads_to_the_files_that_containers_get_as_secrets(tmp_path: Path) -> None:
    (tmp_path / "db.txt").write_text("in-a-secret-file\n")
    rendering = {
        "services": {"app": {"environment": {"DB_PASSWORD": "with$$dollar"}}},
        "secrets": {"db": {"file": str(tmp_path / "db.txt")}, "gone": {"file": str(tmp_path / "gone")}, "env": None},
        "configs": {"app": {"content": "mode: x\napi_key: in-a-config\n"}},
    }
    found = set(read_rendering_secrets(json.dumps(rendering)))
    assert {"in-a-secret-file", "with$$dollar", "with$dollar", "in-a-config"} <= found


def test_the_logins_of_docker_are_known_as_they_are_and_decoded(tmp_path: Path) -> None:
    login = base64.b64encode(b"kim:in-a-login").decode()
    auths = {"registry.example": {"auth": login}, "other.example": {"identitytoken": "in-a-token", "auth": "no base64"}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    assert {login, "in-a-login", "in-a-token"} <= set(read_logins({"DOCKER_CONFIG": str(tmp_path)}))


def test_a_token_is_known_with_and_without_its_user() -> None:
    assert set(read_token("TOKEN", {"TOKEN": "kim:secret"})) >= {"kim:secret", "secret"}
    assert not set(read_token("TOKEN", {}))
    assert not set(read_token(None, {"TOKEN": "x"}))


def test_what_is_missing_or_broken_holds_no_secrets(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    assert not list(read_project_secrets(tmp_path / "nowhere", "APP_VERSION"))
    assert not list(read_rendering_secrets("no json"))
    assert not list(read_logins({"DOCKER_CONFIG": str(tmp_path)}))
    assert not list(read_logins({"HOME": str(tmp_path / "nowhere")}))


def test_a_run_is_read_from_its_own_copy_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("POSTGRES_PASSWORD=as-it-was-then\n")
    rendering = {"services": {"app": {"environment": {"API_TOKEN": "as-rendered-then"}}}}
    (tmp_path / "compose.template.json").write_text(json.dumps(rendering))
    mask = Redactor()
    learn_run(mask, tmp_path, None)
    assert mask.text("as-it-was-then, as-rendered-then") == "***, ***"
