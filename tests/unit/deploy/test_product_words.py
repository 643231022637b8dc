"""The search for words of a product where none belongs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.release.product_words import EXEMPTIONS, FOLDERS, ROOT, Exemption, find_words, render


def write_line(root: Path, line: str, folder: str = "states") -> None:
    (root / folder).mkdir(parents=True)
    (root / folder / "mine.py").write_text(f"# one\n{line}\n", encoding="utf-8")


def test_sources_have_no_word_of_a_product_and_need_every_exemption() -> None:
    assert render(*find_words(ROOT)) == []


@pytest.mark.parametrize(
    "line",
    [
        '"""Ask PostgreSQL."""',
        "def find_postgres_size() -> int: ...",
        "class PgSequence: ...",
        'query = "SELECT pg_database_size(oid)"',
        "# psql waits here",
        'hint = "End it with ROLLBACK PREPARED."',
        'hint = "`docker compose up -d`"',
        "docker_host: str",
        "DOCKER_HOST = 1",
        "from orchestrator.adapters.compose.sources import admit_sources",
        "# the variable in .env",
        'name = "backup.sql.gz"',
        '"""Write it as SQL."""',
        'raise PlatformError("compose.failed", "No.")',
        "if swarm:",
    ],
)
def test_search_finds_a_word_of_a_product_wherever_it_stands(tmp_path: Path, line: str) -> None:
    write_line(tmp_path, line)
    (place,), _ = find_words(tmp_path, ())
    assert str(place) == f"states/mine.py:2: {line}"


@pytest.mark.parametrize(
    "line", ["import sqlite3", "upgrade(page)", "os.environ", "composite = [environment]", "# the engine, the database"]
)
def test_search_ignores_other_words(tmp_path: Path, line: str) -> None:
    write_line(tmp_path, line)
    assert find_words(tmp_path, ()) == ([], [])


@pytest.mark.parametrize("folder", FOLDERS)
def test_search_covers_each_folder_to_its_depth(tmp_path: Path, folder: str) -> None:
    write_line(tmp_path, "# docker", f"{folder}/below")
    assert len(find_words(tmp_path, ())[0]) == 1


def test_search_leaves_adapters_out(tmp_path: Path) -> None:
    write_line(tmp_path, "# docker", "orchestrator/adapters/docker")
    assert find_words(tmp_path, ()) == ([], [])


def test_exemption_covers_its_text_in_its_file_only(tmp_path: Path) -> None:
    write_line(tmp_path, 'CODES = ("compose.failed", "docker")')
    here = Exemption("states/mine.py", re.compile(r"compose\.failed"), "")
    elsewhere = Exemption("states/other.py", re.compile("docker"), "")
    places, unused = find_words(tmp_path, (here, elsewhere))
    assert [place.line for place in places] == [2]
    assert unused == [elsewhere]
    assert "nothing needs the exemption 'docker' any more" in render(places, unused)[-1]


def test_exemption_has_a_reason() -> None:
    assert all(len(exemption.reason) > 20 for exemption in EXEMPTIONS)
