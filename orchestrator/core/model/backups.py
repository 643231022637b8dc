"""The folder of backups. Sizes are bytes."""

from pathlib import Path

from orchestrator.core.model.base import FrozenModel


class FolderFacts(FrozenModel):
    """A folder for backups: its free room, and in ``problem`` the reason why it cannot be used, if any."""

    path: Path
    free_bytes: int
    problem: str = ""
