"""One browser for all tests; each test has a page of its own."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """A real browser without a window."""
    with Chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def screens() -> Path:
    """Where screenshots are kept for people to look at: the folder SCREENSHOTS, or one beside other temporary files."""
    folder = Path(os.environ.get("SCREENSHOTS") or Path(tempfile.gettempdir()) / "upgrade-orchestrator-screens")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
