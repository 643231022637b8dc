"""The other architecture: how this machine runs its programs, and what images of it are built on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .commands import run_command
from .images import DEMO

SETUP_TIMEOUT_S = 900


@dataclass(frozen=True, slots=True)
class Foreign:
    """`folder` has `python.tar`, a root file system, and `docker` and `docker-compose`."""

    architecture: str
    folder: Path


def ensure_foreign() -> Foreign:
    """Set up emulation, and find or make the files; raises `BedError` where programs of it cannot be run."""
    output = run_command([str(DEMO / "setup" / "foreign.sh")], timeout_s=SETUP_TIMEOUT_S)
    said = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    return Foreign(said["FOREIGN_ARCHITECTURE"], Path(said["FOREIGN_FOLDER"]))
