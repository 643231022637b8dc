"""Record everything that a demo has standing, so that another process can remove it: after KEEP=1 or a crash."""

import json
import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import docker

from .bed import LABEL, Bed, LedgerHost, remove_images

NOTE = "standing.json"
STOP_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class Standing:
    """Names by which everything of one demo is found again."""

    bed: str
    project: str
    bed_folder: str
    registry_process: int | None

    @classmethod
    def of(cls, bed: Bed, host: LedgerHost) -> Self:
        """Record the parts of these two."""
        return cls(bed.id, host.project, str(bed.folder), bed.registry.process_id)

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read the note in the demo's folder, if one is there and whole."""
        with suppress(FileNotFoundError, ValueError, TypeError):
            return cls(**json.loads((folder / NOTE).read_text(encoding="utf-8")))
        return None

    def write(self, folder: Path) -> None:
        """Leave the note in the demo's folder."""
        (folder / NOTE).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    def take_down(self, client: docker.DockerClient) -> None:
        """Remove all of it, and nothing else; a missing part is no error."""
        LedgerHost(client, Path(), self.project, "", "", "").down()
        for container in client.containers.list(all=True, filters={"label": f"{LABEL}={self.bed}"}):
            container.remove(force=True, v=True)
        if self.registry_process is not None:
            _end_registry(self.registry_process, self.bed_folder)
        remove_images(client, self.bed)
        shutil.rmtree(self.bed_folder, ignore_errors=True)


# The number may have gone to another process since: only one that runs on our configuration is ours.
def _end_registry(process: int, bed_folder: str) -> None:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while _runs_on(process, bed_folder):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.05)


def _runs_on(process: int, folder: str) -> bool:
    try:
        return os.fsencode(f"{folder}/") in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False
