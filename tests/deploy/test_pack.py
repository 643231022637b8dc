"""A release offers the right files for download."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.stubs import CHECKOUT, VERSION, pack

FILES = {
    "SHA256SUMS",
    "docker-compose.yml",
    "env.example",
    "images.txt",
    "install.sh",
    "upgrade.sh",
    "upgrade.yaml",
}


def test_a_release_offers_what_an_installation_needs_and_no_name_begins_with_a_dot(tmp_path: Path) -> None:
    assert {path.name for path in pack(tmp_path).iterdir()} == FILES


def test_the_checksums_are_of_all_that_is_there_the_wheel_too(tmp_path: Path) -> None:
    (tmp_path / "upgrade_orchestrator-1.2.3-py3-none-any.whl").write_bytes(b"wheel")
    folder = pack(pack(tmp_path))
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=True)
    checked = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert checked == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}


def test_the_files_are_of_that_release(tmp_path: Path) -> None:
    folder = pack(tmp_path, "v2.0.0-rc.1")
    assert "\n    VERSION=v2.0.0-rc.1\n" in (folder / "install.sh").read_text()
    settings = (folder / "env.example").read_text()
    assert re.findall(r"^(\w+)_VERSION=v2\.0\.0-rc\.1$", settings, re.MULTILINE) == ["APP", "ORCHESTRATOR"]
    assert (folder / "images.txt").read_text().splitlines() == [
        "ghcr.io/yourorg/remote-agent:v2.0.0-rc.1",
        "ghcr.io/yourorg/upgrade-orchestrator:v2.0.0-rc.1",
        "postgres:15-bookworm",
    ]


def test_a_fork_releases_under_its_own_name(tmp_path: Path) -> None:
    folder = pack(
        tmp_path,
        GITHUB_REPOSITORY="Acme/Remote",
        GITHUB_SERVER_URL="https://git.lan",
        GITHUB_API_URL="https://git.lan/api/v3",
    )
    text = "".join(path.read_text() for path in folder.iterdir())
    assert "yourorg" not in text
    assert "github.com" not in text
    assert "RELEASES_REPOSITORY=Acme/Remote\nRELEASES_API=https://git.lan/api/v3\n" in text
    assert (folder / "images.txt").read_text().startswith(f"ghcr.io/acme/remote:{VERSION}\n")


@pytest.mark.parametrize("version", ["1.2.3", "latest", "v1.2", "v1.2.3\nv1.2.4", "v1.2.3;id"])
def test_text_that_is_no_version_is_refused(tmp_path: Path, version: str) -> None:
    script = CHECKOUT / "deploy" / "release" / "pack.sh"
    done = subprocess.run([str(script), version, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("pack: ")
    assert list(tmp_path.iterdir()) == []


def test_the_installer_and_the_example_name_one_image_of_the_database() -> None:
    example = (CHECKOUT / "deploy" / ".env.example").read_text()
    (named,) = re.findall(r"^# POSTGRES_IMAGE=(.*)$", example, re.MULTILINE)
    assert f"\n    POSTGRES={named}\n" in (CHECKOUT / "deploy" / "install.sh").read_text()
