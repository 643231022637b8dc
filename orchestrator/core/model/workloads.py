"""What runs: services, one-off containers, the engine below them, and how it differs from what would be started."""

from enum import StrEnum

from orchestrator.core.model.base import FrozenModel


class ServiceStatus(FrozenModel):
    """One container of a service as the platform reports it at this moment."""

    service: str
    container_id: str
    image_id: str
    image_reference: str
    digests: tuple[str, ...] = ()
    version_label: str | None = None
    state: str
    health: str = "none"
    restart_count: int = 0
    exit_code: int = 0
    restart_policy: str = "no"
    addresses: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """Whether its main process is up."""
        return self.state == "running"


class EngineInfo(FrozenModel):
    """The engine that does the work; ``summary`` names its programs and their versions.

    ``free_bytes`` is the room where it keeps images, None when it cannot be seen.
    """

    engine_id: str
    summary: str
    architecture: str
    free_bytes: int | None = None


class Difference(FrozenModel):
    """One setting of a service that runs otherwise than it would be started; empty where it has none there.

    Values of environment variables are never said.
    """

    service: str
    item: str
    running: str
    rendered: str

    def __str__(self) -> str:
        return f"{self.service}: {self.item}: {self.running or 'none'} now, {self.rendered or 'none'} after a start"


class Drift(FrozenModel):
    """How what runs differs from what would be started, and the platform's own words on how to make them agree."""

    differences: tuple[Difference, ...] = ()
    hint: str = ""

    def __bool__(self) -> bool:
        return bool(self.differences)

    def __str__(self) -> str:
        return "; ".join(map(str, self.differences))


class ProbeAnswer(FrozenModel):
    """Answer to an HTTP request; ``status`` is None where there was no answer, ``error`` says why."""

    status: int | None
    body: str = ""
    error: str = ""


class JobStatus(FrozenModel):
    """A one-off container: still at work, or over with the exit code that the engine reports.

    ``said`` is the newest line of one that is at work; empty where it said nothing or could not be heard.
    """

    name: str
    running: bool
    exit_code: int | None = None
    said: str = ""


class Gate(StrEnum):
    """Whether users can reach the app."""

    OPEN = "open"
    CLOSED = "closed"
