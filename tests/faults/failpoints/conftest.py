from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where no test asks what a disk does; on disk where the host has none there."""
    if not MEMORY.is_dir():
        yield tmp_path / "memory"
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="orchestrator-tests-") as folder:
        yield Path(folder)
