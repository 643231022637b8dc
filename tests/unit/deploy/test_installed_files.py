"""The compose file and the settings that an installation is made of."""

import re
from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
COMPOSE = (DEPLOY / "docker-compose.yml").read_text(encoding="utf-8")
EXAMPLE = (DEPLOY / ".env.example").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(COMPOSE)["services"]


def test_every_setting_of_the_compose_file_is_explained_in_the_example() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))
    explained = set(re.findall(r"^#? ?([A-Z_]+)=", EXAMPLE, re.MULTILINE))
    assert asked <= explained
    assert explained - asked == {"ORCHESTRATOR_IMAGE", "ORCHESTRATOR_VERSION"}


def test_defaults_in_the_example_are_the_defaults() -> None:
    defaults = dict(re.findall(r"\$\{([A-Z_]+):-([^}]+)\}", COMPOSE))
    shown = dict(re.findall(r"^#? ?([A-Z_]+)=(\S+)$", EXAMPLE, re.MULTILINE))
    assert len(defaults) == 8
    assert {name: shown[name] for name in defaults} == defaults


def test_setting_without_default_is_asked_for_by_name() -> None:
    assert set(re.findall(r"\$\{([A-Z_]+):\?", COMPOSE)) == {"APP_VERSION", "POSTGRES_PASSWORD"}
    assert not re.findall(r"\$\{[A-Z_]+\}", COMPOSE)


def test_the_example_holds_no_password() -> None:
    assert re.findall(r"^POSTGRES_PASSWORD=(.*)$", EXAMPLE, re.MULTILINE) == [""]


def test_user_data_lives_in_folders_of_the_installation() -> None:
    mounted = {volume["source"]: volume["target"] for volume in SERVICES["app"]["volumes"]}
    assert mounted == {
        "./workspaces": "/app/workspaces",
        "./ssh-keys": "/app/ssh-keys",
        "./backups": "/app/backups",
    }
    assert all(volume["bind"] == {"create_host_path": False} for volume in SERVICES["app"]["volumes"])


def test_no_service_has_more_rights_than_it_needs() -> None:
    for service in SERVICES.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert "cap_add" not in SERVICES["app"]
