"""The page of threats: each one has a test that there is, or says that it is not held."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "threats.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| S-", line)]
TESTS = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_a_threat_is_tried_or_said_not_to_be_held(row: str) -> None:
    assert len(row.split(" | ")) == 4
    assert re.search(r"`tests/[\w/]+\.py::test_\w+`", row) or "*Not held*" in row


@pytest.mark.parametrize(("file", "name"), TESTS, ids=lambda part: str(part).rpartition("/")[2])
def test_a_test_that_the_page_names_is_there(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_no_threat_is_listed_twice() -> None:
    numbers = [row.split("|")[1].strip() for row in ROWS]
    assert len(numbers) == len(set(numbers)) >= 60
