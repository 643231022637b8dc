"""The project folder of a demo host, and how its env file is changed."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import create_autospec

import docker
import pytest
import yaml

from deploy.demo.ledger_host import LABEL, LedgerHost, set_variable


@pytest.fixture
def host(tmp_path: Path) -> LedgerHost:
    host = LedgerHost(
        client=create_autospec(docker.DockerClient, instance=True),
        folder=tmp_path / "ledger",
        project="bed-1234-1",
        repository="127.0.0.1:5000/bed-1234/ledger",
        tag="v1.0.0",
        postgres_image="postgres:15-bookworm",
        owner="bed-1234",
        app_port=20_001,
    )
    host.create()
    return host


def test_the_version_is_one_variable_of_the_compose_file(host: LedgerHost) -> None:
    document = yaml.safe_load((host.folder / "docker-compose.yml").read_text())
    assert document["services"]["app"]["image"] == "127.0.0.1:5000/bed-1234/ledger:${APP_VERSION}"
    assert document["services"]["app"]["ports"] == ["127.0.0.1:${APP_PORT}:5100"]


def test_the_app_reads_of_releases_only_where_the_host_announces_them(host: LedgerHost, tmp_path: Path) -> None:
    silent = yaml.safe_load((host.folder / "docker-compose.yml").read_text())["services"]["app"]
    assert ("volumes" in silent, "RELEASES_FILE" in silent["environment"]) == (False, False)
    telling = replace(host, folder=tmp_path / "telling", announced=tmp_path / "announced" / "releases.json")
    telling.create()
    app = yaml.safe_load((telling.folder / "docker-compose.yml").read_text())["services"]["app"]
    assert app["environment"]["RELEASES_FILE"] == "/announced/releases.json"
    assert app["volumes"] == [
        {"type": "bind", "source": str(tmp_path / "announced"), "target": "/announced", "read_only": True}
    ]


def test_everything_in_the_compose_file_carries_the_owner(host: LedgerHost) -> None:
    document = yaml.safe_load((host.folder / "docker-compose.yml").read_text())
    parts = [*document["services"].values(), *document["volumes"].values(), *document["networks"].values()]
    assert [part["labels"] for part in parts] == [{LABEL: "bed-1234"}] * 4


def test_the_env_file_is_only_for_its_owner(host: LedgerHost) -> None:
    assert (host.folder / ".env").stat().st_mode & 0o777 == 0o600


def test_pinning_changes_nothing_but_the_version(host: LedgerHost) -> None:
    before = (host.folder / ".env").read_text()
    host.pin("v1.1.0")
    after = (host.folder / ".env").read_text()
    assert after == before.replace("APP_VERSION=v1.0.0", "APP_VERSION=v1.1.0") != before


def test_two_hosts_have_passwords_of_their_own(host: LedgerHost) -> None:
    assert host.password not in repr(host)
    assert len(host.password) >= 24


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A=1\nB=2\n", "A=1\nB=x\n"),
        ("B = 2   # why\n", "B = x   # why\n"),
        ("  export B=2", "  export B=x"),
        ("B=\nA=1\n", "B=x\nA=1\n"),
        ("# B=2\n", "# B=2\nB=x\n"),
        ("AB=2", "AB=2\nB=x\n"),
        ("", "B=x\n"),
    ],
)
def test_a_variable_is_set_where_it_stands(before: str, after: str) -> None:
    assert set_variable(before, "B", "x") == after
