"""The outside world as the engine and the states see it. Adapters implement these; fakes pass the same tests.

Every method that can wait takes a `Deadline` and raises its errors (`DeadlineExceededError`,
`InterruptedByOperatorError`). "Could not look" is always an error, never an empty answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from orchestrator.database_port import Database as Database  # noqa: PLC0414 - part of what is found here
from orchestrator.deadline import Deadline
from orchestrator.facts import CommittedRun, FailedRun, FrozenProject, Leftovers, Receipt
from orchestrator.foresight import Neighbourhood, Obstacle, PlannedUse
from orchestrator.model import (
    Drift,
    EngineFacts,
    FolderFacts,
    Gate,
    JobStatus,
    LocalImage,
    Notice,
    Pin,
    ProbeAnswer,
    Progress,
    Question,
    Release,
    RemoteImage,
    ServiceStatus,
)

Report = Callable[[Progress], None]


class Clock(Protocol):
    """Wall time for people, monotonic time for deadlines."""

    def now(self) -> datetime:
        """Aware, UTC."""

    def monotonic(self) -> float:
        """Seconds that only go forward."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Sleep until the event is set (True) or the seconds are over (False)."""


class Platform(Protocol):
    """What runs the app: a Compose project on an engine. Raises `PlatformError`."""

    def inspect_engine(self) -> EngineFacts:
        """Ask the engine who it is. ``engine.unreachable``, ``engine.no_compose``."""

    def read_engine_id(self) -> str:
        """Which engine this is, `EngineFacts.engine_id`, in one call. ``engine.unreachable``."""

    def adopt(self, project: FrozenProject) -> None:
        """Work on the project under the name that it was frozen with, whatever its files say now."""

    def freeze(self, directory: Path) -> FrozenProject:
        """Render the project and keep the rendering in ``directory`` (mode 0600).

        ``compose.missing``, ``compose.file_missing``, ``compose.invalid``, ``service.unknown``, ``env.missing``,
        ``env.variable_missing`` (the file has no version variable), ``env.variable_unused``
        (a service's image does not follow it).
        """

    def forget_project(self, directory: Path) -> None:
        """Remove what `freeze` and the jobs of its run have kept in ``directory``: it holds the secrets of the app.

        Repeating is harmless. ``compose.not_removed``.
        """

    def find_edits(self, project: FrozenProject) -> tuple[str, ...]:
        """Names of the files that are not what they were when the project was frozen; empty if none is.

        A change that no file of its own shows has the name ``what Compose reads of the project``. The pin is left
        out of account. Reads only.
        """

    def find_obstacles(self, project: FrozenProject, use: PlannedUse) -> tuple[Obstacle, ...]:
        """What would keep a run from doing what the plan names. Reads only."""

    def check_pin_writable(self) -> None:
        """Raise ``env.not_writable`` if the pin could not be replaced. Changes nothing."""

    def read_pin(self) -> str:
        """The text of the version variable in the live ``.env``."""

    def write_pin(self, text: str) -> None:
        """Set the version variable atomically and durably; every other byte of the file stays as it is."""

    def inspect_services(self, services: Sequence[str]) -> tuple[ServiceStatus, ...]:
        """The containers of these services now, one-off containers left out; a service may have none."""

    def find_drift(
        self,
        project: FrozenProject | None,
        *,
        pin: str | None = None,
        services: Sequence[str] | None = None,
        gate: Gate = Gate.OPEN,
    ) -> Drift:
        """How the containers that run differ from those that would be made now, item by item.

        Compared with the frozen project (None: with what its files say now) with ``pin`` in the version variable (None:
        the one that it was frozen with). All services that run, or these; what a closed gate holds back does not
        count. The whole project also has a hint on how to make them agree. Reads only.
        """

    def check_name(self, services: Sequence[str]) -> None:
        """Raise ``refused.other_name`` if these services run, but under another name of the project."""

    def inspect_neighbourhood(self, service: str) -> Neighbourhood:
        """Who can be connected to what a service's container serves. Reads only."""

    def find_image(self, reference: str) -> LocalImage | None:
        """The local image of ``repository:tag``, ``repository@digest`` or an image id; None if there is none."""

    def pull_image(self, repository: str, pin: Pin, *, report: Report, deadline: Deadline) -> LocalImage:
        """Download by the pin's digest and give it the pin's tag.

        ``pull.not_found``, ``pull.denied``, ``pull.rate_limited``, ``pull.no_space``, ``pull.failed``,
        ``pull.digest_mismatch``.
        """

    def keep_image(self, image_id: str, name: str) -> None:
        """Give the image a name of ours, so that pruning leaves it alone. Repeating is harmless."""

    def forget_image(self, name: str) -> None:
        """Take a name away from an image; without any name left the engine removes it. Repeating is harmless."""

    def stop_services(
        self,
        services: Sequence[str],
        *,
        deadline: Deadline,
        at_once: bool = False,
        meanwhile: Callable[[], bool] | None = None,
    ) -> None:
        """Restart policies off first, then stop who depends on another before it, each with its own grace period.

        What does not depend on one another is stopped side by side. ``at_once`` gives nobody a grace period.
        ``meanwhile`` is called again and again while they stop, until it returns False.
        """

    def start_services(
        self,
        project: FrozenProject,
        services: Sequence[str],
        pin: str,
        *,
        images: Mapping[str, str] | None = None,
        gate: Gate = Gate.OPEN,
        apart: bool = False,
        deadline: Deadline,
    ) -> None:
        """Bring these services up as frozen, with ``pin`` in the version variable; never pulls, never builds.

        ``images``: service → id of the image that its container must be of, whatever the name of that image leads to
        by now; ``image.missing`` where it is not on this host any more.

        Gate open: containers that are right already are started and get their restart policy of the frozen
        project back. Gate closed: they publish nothing, nobody but they themselves finds them by name, and
        nothing starts them again; a later start with the gate open replaces them. ``apart`` are services that
        were seen to be well with nothing around them but what they depend on: where they can be kept like that
        behind the gate, a later start with the gate open lets them out as they run. ``gate.impossible``.
        """

    def check_gate(self, project: FrozenProject, services: Sequence[str]) -> None:
        """Raise ``gate.impossible`` if these services cannot be kept from their users. Changes nothing."""

    def find_private_url(self, project: FrozenProject, url: str, services: Sequence[str]) -> str | None:
        """The address at which this host reaches, past the gate, what users reach at ``url``; always plain http.

        Where a proxy in front of the services has the port of ``url``, that is their only port. None where it is
        not clear which port ``url`` leads to. ``gate.no_address`` when its container does not run.
        """

    def start_job(
        self,
        project: FrozenProject,
        name: str,
        command: Sequence[str],
        pin: str,
        *,
        run_id: str,
        deadline: Deadline,
    ) -> None:
        """Start ``command`` = (service, argument …) in a one-off container of the service at ``pin``.

        It is on the app's network, publishes nothing, is labelled with the run, and outlives its client.
        ``job.exists`` when the name is taken.
        """

    def inspect_job(self, name: str) -> JobStatus | None:
        """The engine's own verdict on a job, None if there is no such container."""

    def wait_job(self, name: str, *, tell: Callable[[str], None], deadline: Deadline) -> JobStatus:
        """Wait until the job is over; ``tell`` is told its newest line now and then."""

    def stop_job(self, name: str) -> None:
        """End the job (grace period, then kill) and leave its container for reading. Repeating is harmless."""

    def end_jobs(self, run_id: str) -> None:
        """End every container of the run that is still at work, as `stop_job` does."""

    def save_job_log(self, name: str, path: Path) -> str:
        """Write all that the job said to ``path`` (0600); returns the last 50 lines as text."""

    def remove_job(self, name: str) -> None:
        """Remove the container of a job that is over. Repeating is harmless."""

    def read_logs(self, container_id: str, *, lines: int) -> str:
        """The last lines that a container said."""

    def run_host_command(
        self, command: Sequence[str], *, environment: Mapping[str, str], log: Path, deadline: Deadline
    ) -> int:
        """Run the operator's own argv on the host, in the project's folder, without a shell; its exit code."""


class Registry(Protocol):
    """Where images come from. Raises `PlatformError`."""

    def resolve(self, repository: str, tag: str) -> RemoteImage:
        """The digest behind a tag now, without downloading it.

        ``image.not_found``, ``image.denied``, ``image.unreachable``.
        """


class BackupStore(Protocol):
    """The folder of backup files. Raises `BackupError`."""

    def inspect_folder(self) -> FolderFacts:
        """Try, without leaving a trace, whether a backup could be written."""

    def write(
        self, name: str, produce: Callable[[Callable[[bytes], None]], None], *, report: Report
    ) -> tuple[Path, str, int]:
        """Let ``produce`` write a dump; compress it on the way into ``name``.

        The file appears under its name only when it is whole and durable; mode 0600.
        Returns path, SHA-256 of the file (hex), number of bytes before compression.
        ``backup.exists``, ``backup.no_space``, ``backup.not_writable``.
        """

    def prove(self, path: Path, *, report: Report, deadline: Deadline) -> Proof:
        """Read a backup in full. ``backup.missing``, ``backup.damaged``, ``backup.incomplete``."""

    def read(self, path: Path, *, sha256: str | None = None) -> Iterable[bytes]:
        """The dump, decompressed, in chunks.

        ``backup.missing``, ``backup.damaged``: before the last chunk was given; also where the file is not the one
        with ``sha256`` (hex).
        """

    def remove(self, path: Path) -> None:
        """Delete a file of the folder. Repeating is harmless; a path outside the folder is refused."""


class Proof(Protocol):
    """What a full reading of a backup has shown."""

    @property
    def sha256(self) -> str:
        """Of the file, hex."""

    @property
    def size_bytes(self) -> int:
        """Of the file."""

    @property
    def dump_bytes(self) -> int:
        """Decompressed."""

    @property
    def rows(self) -> Mapping[str, int]:
        """Rows of each table in the dump, keyed ``schema.table``."""


class ReleaseFeed(Protocol):
    """Where releases are announced. Raises `ReleaseError`."""

    def list_releases(self) -> tuple[Release, ...]:
        """All that are published, drafts and pre-releases marked as such; in any order."""


class Probe(Protocol):
    """An outside look at the app."""

    def get(self, url: str, *, timeout_s: float, asked: str | None = None) -> ProbeAnswer:
        """One GET, redirects not followed, at most 64 KiB of the body. Never raises for what the app does.

        ``asked`` is the address that users ask at, where ``url`` is another one of the same app: the request names
        the host, the port and the scheme of ``asked``, as a browser or a proxy in front of the app would.
        """


class Operator(Protocol):
    """The person at the terminal, if there is one."""

    def confirm(self, question: Question) -> bool | None:
        """True or False as answered; None where nobody can be asked."""


class Notifier(Protocol):
    """Whoever is to be told how a run ended."""

    def send(self, notice: Notice, *, timeout_s: float) -> tuple[str, ...]:
        """Tell it; what did not work, one sentence each, without a secret. Never raises, and is over in time."""


class MetricsFile(Protocol):
    """The page that a monitoring system reads."""

    def read(self) -> str:
        """As it was written last; empty where there is none. Never raises."""

    def write(self, text: str) -> None:
        """Replace it as a whole. Raises `PlatformError`: ``metrics.not_written``."""


class History(Protocol):
    """What earlier runs of this project have left, as the journal knows it."""

    def receipts(self) -> tuple[Receipt, ...]:
        """Receipts of backups that were not removed since, newest first."""

    def leftovers(self) -> tuple[Leftovers, ...]:
        """Databases and image names that ended runs have kept, newest run first."""

    def find_failure(self, digest: str) -> FailedRun | None:
        """The newest run that could not stay on the release with this digest, if none has stayed on it since."""

    def find_failed_trial(self, digest: str) -> FailedRun | None:
        """The newest run that tried the release with this digest on a copy, if the release failed there."""

    def last_commit(self) -> CommittedRun | None:
        """The newest run that changed the version for good."""
