"""The settings of containers and images as the engine answers them; what is null there has its default here."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_pascal

from orchestrator.adapters.docker.models import HASH_LABEL, PROJECT_LABEL, SERVICE_LABEL

_UP = frozenset({"running", "restarting", "paused"})
_SHORT_ID = 12


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_pascal, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, value: object) -> object:
        if isinstance(value, dict):
            return {name: one for name, one in value.items() if one is not None}
        return value


class HealthcheckDocument(_Document):
    """``Healthcheck``; durations are nanoseconds."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ConfigDocument(_Document):
    """``Config`` of a container or an image."""

    image: str = ""
    hostname: str = ""
    domainname: str = ""
    user: str = ""
    env: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    working_dir: str = ""
    exposed_ports: dict[str, Any] = {}
    volumes: dict[str, Any] = {}
    healthcheck: HealthcheckDocument = HealthcheckDocument()
    stop_signal: str = ""
    stop_timeout: int | None = None
    tty: bool = False
    open_stdin: bool = False
    mac_address: str = ""


class BindingDocument(_Document):
    """A place on the host at which a port is published."""

    host_ip: str = ""
    host_port: str = ""


class _RestartPolicy(_Document):
    name: str = ""
    maximum_retry_count: int = 0


class _LogConfig(_Document):
    type: str = ""
    config: dict[str, str] = {}


class DeviceDocument(_Document):
    """A device of the host."""

    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = ""


class DeviceRequestDocument(_Document):
    """Devices that a driver gives, such as GPUs."""

    driver: str = ""
    count: int = 0
    device_ids: tuple[str, ...] = Field(default=(), alias="DeviceIDs")
    capabilities: tuple[tuple[str, ...], ...] = ()


class UlimitDocument(_Document):
    """A limit of the container's processes."""

    name: str
    soft: int = 0
    hard: int = 0


class TmpfsOptionsDocument(_Document):
    """Options of a tmpfs that was asked for as a mount."""

    size_bytes: int = 0
    mode: int = 0


class VolumeOptionsDocument(_Document):
    """Options of a volume."""

    subpath: str = ""


class AskedMountDocument(_Document):
    """A mount as it was asked for."""

    type: str = ""
    target: str = ""
    tmpfs_options: TmpfsOptionsDocument = TmpfsOptionsDocument()
    volume_options: VolumeOptionsDocument = VolumeOptionsDocument()


class HostConfigDocument(_Document):
    """``HostConfig`` of a container."""

    network_mode: str = ""
    port_bindings: dict[str, tuple[BindingDocument, ...] | None] = {}
    restart_policy: _RestartPolicy = _RestartPolicy()
    log_config: _LogConfig = _LogConfig()
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    group_add: tuple[str, ...] = ()
    ipc_mode: str = ""
    pid_mode: str = ""
    uts_mode: str = Field(default="", alias="UTSMode")
    userns_mode: str = ""
    cgroupns_mode: str = ""
    cgroup_parent: str = ""
    runtime: str = ""
    privileged: bool = False
    readonly_rootfs: bool = False
    init: bool = False
    security_opt: tuple[str, ...] = ()
    tmpfs: dict[str, str] = {}
    mounts: tuple[AskedMountDocument, ...] = ()
    shm_size: int = 0
    sysctls: dict[str, str] = {}
    ulimits: tuple[UlimitDocument, ...] = ()
    devices: tuple[DeviceDocument, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    device_requests: tuple[DeviceRequestDocument, ...] = ()
    annotations: dict[str, str] = {}
    storage_opt: dict[str, str] = {}
    memory: int = 0
    memory_reservation: int = 0
    memory_swap: int = 0
    memory_swappiness: int | None = None
    oom_kill_disable: bool = False
    oom_score_adj: int = 0
    nano_cpus: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    pids_limit: int = 0
    blkio_weight: int = 0


class MountDocument(_Document):
    """A mount as the container has it."""

    type: str = ""
    name: str = ""
    source: str = ""
    destination: str = ""
    rw: bool = Field(default=True, alias="RW")


class _Addresses(_Document):
    ipv4_address: str = Field(default="", alias="IPv4Address")
    ipv6_address: str = Field(default="", alias="IPv6Address")


class EndpointDocument(_Document):
    """How a container is connected to a network."""

    aliases: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    asked: _Addresses = Field(default=_Addresses(), alias="IPAMConfig")
    mac_address: str = ""


class _NetworkSettings(_Document):
    networks: dict[str, EndpointDocument] = {}


class _State(_Document):
    status: str = ""


class ContainerSettings(_Document):
    """``GET /containers/{id}/json``, as far as a compose file can say it."""

    id: str
    name: str
    image: str
    state: _State
    config: ConfigDocument
    host_config: HostConfigDocument = HostConfigDocument()
    mounts: tuple[MountDocument, ...] = ()
    network_settings: _NetworkSettings = _NetworkSettings()

    @property
    def up(self) -> bool:
        """Whether it runs, or is about to."""
        return self.state.status in _UP

    @property
    def own_name(self) -> str:
        """Its name without the slash."""
        return self.name.removeprefix("/")

    @property
    def short_id(self) -> str:
        """What the engine names its host by, and finds it by in a network."""
        return self.id[:_SHORT_ID]

    @property
    def service(self) -> str:
        """The service that it is of."""
        return self.config.labels.get(SERVICE_LABEL, "")

    @property
    def made_name(self) -> re.Pattern[str]:
        """The name that Compose gives it where none is said, also of earlier versions and in the middle of a change."""
        project = re.escape(self.config.labels.get(PROJECT_LABEL, ""))
        return re.compile(rf"(?:[0-9a-f]{{12}}_)?{project}[-_]{re.escape(self.service)}[-_]\d+")

    @property
    def config_hash(self) -> str:
        """Compose's hash of the service as it was when the container was made."""
        return self.config.labels.get(HASH_LABEL, "")


class ImageSettings(_Document):
    """``GET /images/{name}/json``: what a container has that says nothing else."""

    id: str
    config: ConfigDocument = ConfigDocument()
