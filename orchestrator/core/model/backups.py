"""The folder of backups. Sizes are bytes."""

from __future__ import annotations

from pathlib import Path

from orchestrator.core.model.base import FrozenModel


class FolderFacts(FrozenModel):
    """A folder for backups: how much room it has, and in ``problem`` why it cannot be used, if so."""

    path: Path
    free_bytes: int
    problem: str = ""
