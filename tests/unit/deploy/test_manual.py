"""The manual page that is shipped is the one that the commands make."""

from pathlib import Path

import pytest

from deploy.release.manual import write_manual
from orchestrator.cli.catalog import CATALOG

PAGE = Path(__file__).resolve().parents[3] / "docs" / "orchestrator.1"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == write_manual(), "run make man"


@pytest.mark.parametrize("name", CATALOG)
def test_every_command_is_on_the_page_with_its_examples(name: str) -> None:
    text = PAGE.read_text(encoding="utf-8").replace(r"\-", "-")
    assert f".SS \\fBorchestrator {name}\\fR" in text
    assert f"\norchestrator {name} " in text
