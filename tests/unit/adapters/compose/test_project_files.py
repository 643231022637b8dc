"""Which files a project is read from, and which of them somebody has edited."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.adapters.compose.project_files import find_changed, find_compose_files, read_marks

COMPOSE = """\
include: [parts/db.yml]
services:
  app:
    env_file: ./app.env
    volumes: ["./mounted.yml:/etc/app.yml", "./data:/data"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "docker-compose.yml").write_text("services: {}\n")
    (tmp_path / "parts" / "db.yml").write_text("services: {db: {extends: {file: ../base.yaml, service: db}}}\n")
    (tmp_path / "base.yaml").write_text("services: {db: {}}\n")
    (tmp_path / "app.env").write_text("COLOUR=blue\n")
    (tmp_path / "mounted.yml").write_text("a: 1\n")
    (tmp_path / ".env").write_text("APP_VERSION=v1.0.0\nPASSWORD=s3cret\n")
    return tmp_path


def test_what_a_project_is_read_from_is_found_by_its_mention(folder: Path) -> None:
    found = {str(Path(path).relative_to(folder)) for path in read_marks(folder, "APP_VERSION")}
    assert found == {".env", "compose.yaml", "parts/db.yml", "base.yaml", "app.env"}


def test_the_files_that_the_env_lists_take_the_place_of_the_usual_ones(folder: Path) -> None:
    (folder / ".env").write_text("COMPOSE_FILE=docker-compose.yml:base.yaml\n")
    found = {str(Path(path).relative_to(folder)) for path in read_marks(folder, "APP_VERSION")}
    assert found == {".env", "docker-compose.yml", "base.yaml"}


def test_of_several_overrides_the_one_counts_that_compose_takes(folder: Path) -> None:
    for name in ("compose.override.yaml", "compose.override.yml", "docker-compose.override.yml"):
        (folder / name).write_text("{}\n")
    assert find_compose_files(folder) == (folder / "compose.yaml", folder / "compose.override.yml")


@pytest.mark.parametrize(
    ("edit", "name"),
    [
        (lambda folder: (folder / "compose.yaml").write_text(COMPOSE + "# more\n"), "compose.yaml"),
        (lambda folder: (folder / "parts" / "db.yml").unlink(), "parts/db.yml"),
        (lambda folder: (folder / "base.yaml").write_text("services: {db: {image: x}}\n"), "base.yaml"),
        (lambda folder: (folder / "app.env").write_text("COLOUR=red\n"), "app.env"),
        (lambda folder: (folder / ".env").write_text("APP_VERSION=v1.0.0\nPASSWORD=other\n"), ".env"),
        (lambda folder: (folder / "compose.override.yaml").write_text("{}\n"), "compose.override.yaml"),
    ],
)
def test_an_edit_is_told_by_the_name_of_its_file(folder: Path, edit: Callable[[Path], object], name: str) -> None:
    marks = read_marks(folder, "APP_VERSION")
    edit(folder)
    assert find_changed(marks, folder, "APP_VERSION") == (name,)


def test_what_is_ours_to_change_is_no_edit(folder: Path) -> None:
    marks = read_marks(folder, "APP_VERSION")
    (folder / ".env").write_text(f"APP_VERSION=v1.1.0@sha256:{'0' * 64}\nPASSWORD=s3cret\n")
    (folder / "mounted.yml").write_text("a: 2\n")
    assert find_changed(marks, folder, "APP_VERSION") == ()


def test_nothing_of_what_is_in_a_file_is_kept(folder: Path) -> None:
    kept = repr(read_marks(folder, "APP_VERSION"))
    assert "s3cret" not in kept
    assert "blue" not in kept
