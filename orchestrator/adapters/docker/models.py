"""The parts that we read of what the engine answers, named as in the Engine API."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_pascal

from orchestrator.adapters.http.json_reader import clean, clean_text
from orchestrator.core.model.base import Digest
from orchestrator.core.model.images import LocalImage
from orchestrator.core.model.workloads import ServiceStatus

RUN_LABEL = "upgrade-orchestrator.run"
HOLD_LABEL = "upgrade-orchestrator.holds-address"
GATE_LABEL = "upgrade-orchestrator.gate"
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
ONE_OFF_LABEL = "com.docker.compose.oneoff"
HASH_LABEL = "com.docker.compose.config-hash"
NEEDS_LABEL = "com.docker.compose.depends_on"
IMAGE_LABEL = "com.docker.compose.image"
FOLDER_LABEL = "com.docker.compose.project.working_dir"
FILES_LABEL = "com.docker.compose.project.config_files"
ENV_FILE_LABEL = "com.docker.compose.project.environment_file"

_VERSION_LABEL = "org.opencontainers.image.version"
_UP = frozenset({"running", "restarting", "paused"})


class Soft(BaseModel):
    """A document of the engine: what is null in it is as if it were not there, and half characters are dropped."""

    @model_validator(mode="before")
    @classmethod
    def _soften(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {name: _soften(inner) for name, inner in value.items() if inner is not None}


class _Document(Soft):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_pascal, populate_by_name=True)


class EngineDocument(_Document):
    """``GET /info``."""

    id: str = Field(alias="ID")
    server_version: str
    architecture: str
    docker_root_dir: str = ""
    logging_driver: str = ""
    default_runtime: str = ""


class ImageDocument(_Document):
    """``GET /images/{name}/json``."""

    id: str
    repo_digests: tuple[str, ...] = ()
    size: int = 0

    @property
    def digests(self) -> tuple[str, ...]:
        """What it is known by in registries, whatever the repository."""
        return tuple(dict.fromkeys(name.rpartition("@")[2] for name in self.repo_digests))

    def to_image(self) -> LocalImage:
        """In our words."""
        return LocalImage(image_id=self.id, digests=self.digests, size_bytes=self.size)


class _Health(_Document):
    status: str = "none"


class _State(_Document):
    status: str
    exit_code: int = 0
    health: _Health | None = None


class _Config(_Document):
    image: str
    labels: dict[str, str] | None = None
    stop_timeout: int | None = None
    env: tuple[str, ...] = ()


class _RestartPolicy(_Document):
    name: str = ""
    maximum_retry_count: int = 0

    def to_text(self) -> str:
        """As under ``restart:`` in a compose file."""
        if self.name == "on-failure" and self.maximum_retry_count:
            return f"{self.name}:{self.maximum_retry_count}"
        return self.name or "no"


class NetworkDocument(_Document):
    """How a container is connected to one network; ``links`` are ``container:name``, ``aliases`` its names there."""

    links: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    ip_address: str = Field(default="", alias="IPAddress")
    ipv6_address: str = Field(default="", alias="GlobalIPv6Address")
    gateway: str = ""
    ipv6_gateway: str = Field(default="", alias="IPv6Gateway")

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The links as container and name."""
        parted = (link.partition(":") for link in self.links)
        return tuple((container, name) for container, _, name in parted)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its addresses there, of both kinds."""
        return tuple(text for text in (self.ip_address, self.ipv6_address) if text)

    @property
    def gateways(self) -> tuple[str, ...]:
        """The addresses under which it meets the host there."""
        return tuple(text for text in (self.gateway, self.ipv6_gateway) if text)

    @property
    def address(self) -> str:
        """Its address there; empty while the container does not run."""
        return self.ip_address or self.ipv6_address


class _NetworkSettings(_Document):
    networks: dict[str, NetworkDocument] = {}
    ports: dict[str, tuple[object, ...] | None] | None = None


class _HostConfig(_Document):
    restart_policy: _RestartPolicy = _RestartPolicy()
    port_bindings: dict[str, object] | None = None


class ContainerDocument(_Document):
    """``GET /containers/{id}/json``."""

    id: str
    name: str
    image: str
    restart_count: int = 0
    state: _State
    config: _Config
    host_config: _HostConfig = _HostConfig()
    network_settings: _NetworkSettings = _NetworkSettings()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its own addresses in its networks; none while it is stopped."""
        endpoints = self.networks.values()
        return tuple(text for one in endpoints for text in (one.ip_address, one.ipv6_address) if text)

    @property
    def labels(self) -> dict[str, str]:
        """Its own labels and those of its image."""
        return self.config.labels or {}

    @property
    def environment(self) -> tuple[str, ...]:
        """Its variables, ``NAME=value`` each."""
        return self.config.env

    @property
    def needs(self) -> frozenset[str]:
        """The services that its own depends on, as Compose notes them: ``db:service_healthy:false,…``."""
        noted = self.labels.get(NEEDS_LABEL, "")
        return frozenset(one.partition(":")[0] for one in noted.split(",") if one)

    @property
    def networks(self) -> dict[str, NetworkDocument]:
        """The networks that it is connected to, by name."""
        return self.network_settings.networks

    @property
    def published(self) -> bool:
        """Whether users reach every port that it was made to publish; a stopped one publishes none."""
        bound = {port for port, places in (self.network_settings.ports or {}).items() if places}
        return bound >= {*(self.host_config.port_bindings or {})}

    @property
    def up(self) -> bool:
        """Whether there is something to stop; one that is about to be restarted counts."""
        return self.state.status in _UP

    @property
    def started(self) -> bool:
        """Whether its main process ever ran; the exit code says nothing before."""
        return self.state.status != "created"

    @property
    def stop_timeout_s(self) -> int | None:
        """Its own grace period, None where the engine's default applies."""
        return self.config.stop_timeout

    def to_status(self, image: ImageDocument | None) -> ServiceStatus:
        """In our words; ``image`` is None when the engine has lost it."""
        return ServiceStatus(
            service=self.labels.get(SERVICE_LABEL, ""),
            container_id=self.id,
            image_id=self.image,
            image_reference=self.config.image,
            digests=image.digests if image else (),
            version_label=self.labels.get(_VERSION_LABEL),
            state=self.state.status,
            health=self.state.health.status if self.state.health else "none",
            restart_count=self.restart_count,
            exit_code=self.state.exit_code,
            restart_policy=self.host_config.restart_policy.to_text(),
            addresses=self.addresses,
        )


class NamedDocument(_Document):
    """What is listed by its name: a network, a volume."""

    name: str


class NetworkKindDocument(_Document):
    """``GET /networks/{name}``."""

    driver: str


class VolumesDocument(_Document):
    """``GET /volumes``."""

    volumes: tuple[NamedDocument, ...] = ()


class _ListedHostConfig(_Document):
    network_mode: str = ""


class _ListedNetworks(_Document):
    networks: dict[str, NetworkDocument] | None = None


class _ListedMount(_Document):
    source: str = ""


class ListedDocument(_Document):
    """An entry of ``GET /containers/json``."""

    id: str
    names: tuple[str, ...] = ()
    state: str = ""
    labels: dict[str, str] | None = None
    host_config: _ListedHostConfig = _ListedHostConfig()
    network_settings: _ListedNetworks = _ListedNetworks()
    mounts: tuple[_ListedMount, ...] = ()

    @property
    def networks(self) -> frozenset[str]:
        """Names of the networks that it is made for."""
        return frozenset(self.network_settings.networks or ())

    @property
    def name(self) -> str:
        """Its own name, as `docker ps` shows it."""
        return next((name.lstrip("/") for name in self.names if name.count("/") == 1), self.id[:12])

    @property
    def endpoints(self) -> tuple[NetworkDocument, ...]:
        """How it is connected to each of its networks."""
        return tuple((self.network_settings.networks or {}).values())

    @property
    def lodges_with(self) -> str:
        """The id of the container whose network it has for its own; empty where it has one itself."""
        kind, _, container = self.host_config.network_mode.partition(":")
        return container if kind == "container" else ""

    @property
    def on_host(self) -> bool:
        """Whether it has the network of its host for its own."""
        return self.host_config.network_mode == "host"

    @property
    def sources(self) -> tuple[str, ...]:
        """What it has mounted from its host."""
        return tuple(mount.source for mount in self.mounts)

    def is_of(self, project: str, services: Collection[str]) -> bool:
        """Whether it is a container of one of these services, and no one-off."""
        labels = self.labels or {}
        right = labels.get(PROJECT_LABEL) == project and labels.get(ONE_OFF_LABEL) == "False"
        return right and labels.get(SERVICE_LABEL) in services


class _Platform(_Document):
    model_config = ConfigDict(alias_generator=None)

    os: str = "unknown"
    architecture: str = "unknown"


class _Descriptor(_Document):
    model_config = ConfigDict(alias_generator=None)

    digest: Digest


class DistributionDocument(_Document):
    """``GET /distribution/{name}/json``."""

    descriptor: _Descriptor
    platforms: tuple[_Platform, ...] = ()

    @property
    def platform_names(self) -> tuple[str, ...]:
        """``os/arch`` of each; attestations call themselves ``unknown/unknown`` and are left out."""
        names = (f"{one.os}/{one.architecture}" for one in self.platforms)
        return tuple(dict.fromkeys(name for name in names if "unknown" not in name))


class LayerProgress(_Document):
    """``progressDetail`` of an event of a pull."""

    model_config = ConfigDict(alias_generator=None)

    current: int = 0
    total: int = 0


class PullEvent(_Document):
    """One line of what ``POST /images/create`` streams; ``error`` can come in any of them."""

    model_config = ConfigDict(alias_generator=None)

    id: str = ""
    status: str = ""
    error: str = ""
    progress: LayerProgress = Field(default=LayerProgress(), alias="progressDetail")


def _soften(value: object) -> object:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [clean(one) for one in value if one is not None]
    return clean(value)


def explain_shape(error: Exception) -> str:
    """Where a document is of another shape, without anything that it says."""
    if not isinstance(error, ValidationError):
        return "it is nested too deep"
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"


@dataclass(frozen=True)
class Connection:
    """How the container of a gated service is connected to one network: no aliases, only links of its own.

    ``links`` are pairs of container name and the name under which only this container finds it.
    """

    container: str
    network: str
    links: tuple[tuple[str, str], ...]
    ipv4_address: str | None = None
    ipv6_address: str | None = None
