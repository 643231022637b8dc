"""The port of stages: where a copy of the app and its database is tried while the app serves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from orchestrator.core.deadline import Deadline
from orchestrator.core.facts import FrozenProject
from orchestrator.core.model.workloads import ProbeAnswer
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.ports.workloads import Containers


class Trial(Protocol):
    """A place apart where a copy of the app is tried: nothing on it reaches the app, its users or the outside.

    Raises `PlatformError` and, for its database server, `DatabaseError`.
    """

    @property
    def containers(self) -> Containers:
        """The app's services and jobs here; where its own have a grace period, these are ended at once."""

    @property
    def stores(self) -> tuple[DataStore, ...]:
        """A store for each of the live ones, of the same name and make, with nothing in it at first."""

    def disk_usage(self) -> int:
        """Bytes that its database server has written."""

    def limits(self) -> tuple[str, ...]:
        """What the app goes without here and has where it serves, as parts of a sentence; the last is always so."""

    def reaches(self, url: str) -> bool:
        """Whether the stage's own copy can be asked what users ask at ``url``."""

    def get(self, url: str, *, timeout_s: float, asked: str | None = None) -> ProbeAnswer:
        """Ask the stage's own copy as `Probe.get`; ``url`` is the address that users ask at, and ``asked`` too."""


class Trials(Protocol):
    """Makes stages and clears them away. Raises `PlatformError`."""

    def open(
        self,
        project: FrozenProject,
        services: Sequence[str],
        *,
        run_id: str,
        directory: Path,
        writable: Sequence[str],
        deadline: Deadline,
    ) -> Trial:
        """Make the stage of a run for these services, with its database server up and ready.

        What they need and name without depending on it is started as well.

        ``writable`` are folders in containers that get an empty volume in place of a folder of the host, which
        are read-only otherwise. ``stage.database_failed``; what is there of the stage then is for `remove_all`.
        """

    def remove_all(self, run_id: str) -> None:
        """Remove everything of the run's stage, whatever works on it. Repeating is harmless."""

    def list_remnants(self, run_id: str) -> tuple[str, ...]:
        """Names of what is there of the run's stage."""
