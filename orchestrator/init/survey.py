"""Survey the services of a rendered project in the terms that `init` decides by; pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.adapters.compose.rendering import Json, parse_rendering, read_object, read_services
from orchestrator.core.image_reference import Reference

_POSTGRES = re.compile(r"postg(res|is|resql)|timescale|pgvect|pg_?vector|vectorchord|citus", re.IGNORECASE)
_POOLER = re.compile(r"pgbouncer|pgcat|odyssey|pgpool|supavisor|postgres[-_]?exporter", re.IGNORECASE)
_BESIDE = re.compile(
    r"""
    redis|valkey|keydb|dragonfly|memcached | rabbitmq|kafka|zookeeper|nats|mosquitto
    | ^(nginx|httpd|caddy|traefik|haproxy|varnish|envoy|apache2?)([-_].*)?$ | nginx-proxy|swag$|cloudflared|acme
    | elasticsearch|opensearch|meilisearch|typesense|solr|qdrant|weaviate
    | clickhouse|mariadb|mysql|mongo|cassandra|influx
    | minio|garage$|seaweed | mailhog|mailpit|postfix|^smtp|exim | gotenberg|^tika|collabora|onlyoffice|imaginary
    | watchtower|autoheal|adminer|pgadmin|pgweb|prometheus|grafana|exporter|ofelia
    | pg[-_]?dump|postgres[-_]?backup|backup | ^busybox$|^alpine$|^debian$|^ubuntu$ | geoipupdate|browserless|chrome
    """,
    re.VERBOSE | re.IGNORECASE,
)
_OTHER_DATABASES = re.compile(r"mariadb|mysql|mongo|mssql|cockroach", re.IGNORECASE)
_PART_BEFORE = re.compile(r"[\w.-]")
_PART_AFTER = re.compile(r"[\w-]|\.\w")


class Role(StrEnum):
    """Purpose of a service, as far as its image tells."""

    APP = "app"
    POSTGRES = "postgres"
    POOLER = "pooler"
    BESIDE = "beside"


@dataclass(frozen=True)
class Port:
    """A port that the host publishes over TCP: ``host`` is empty where it is every address of the host."""

    host: str
    published: int
    target: int


@dataclass(frozen=True)
class Service:
    """One service of the project. ``repository`` is empty where it is only built; ``tag`` where none is written."""

    name: str
    repository: str
    tag: str
    digest: str
    builds: bool
    ports: tuple[Port, ...]
    health_test: str
    command: tuple[str, ...]
    entrypoint: tuple[str, ...]
    environment: Mapping[str, str]
    depends_on: Mapping[str, str]
    restarts: bool
    network_mode: str
    folders: tuple[str, ...]

    @property
    def role(self) -> Role:
        """Role by the last part of the image's name, which its author chose."""
        base = self.repository.rpartition("/")[2] or self.name
        if _POOLER.search(base):
            return Role.POOLER
        if _BESIDE.search(base):
            return Role.BESIDE
        if _POSTGRES.search(base) or self._keeps_postgres_data():
            return Role.POSTGRES
        return Role.APP

    @property
    def is_other_database(self) -> bool:
        """Whether it is a database server other than PostgreSQL."""
        return bool(_OTHER_DATABASES.search(self.repository.rpartition("/")[2]))

    def says(self, word: str) -> bool:
        """Tell whether a value of its environment, or its command, names ``word`` as a host would be named."""
        return any(_names(text, word) for text in (*self.environment.values(), *self.command))

    def _keeps_postgres_data(self) -> bool:
        owns = any(folder.startswith("/var/lib/postgresql") for folder in self.folders)
        return owns and "POSTGRES_PASSWORD" in " ".join(self.environment)


def _names(text: str, host: str) -> bool:
    """Tell whether a host stands in a text by itself, and not as a part of another name."""
    start = text.find(host)
    while start >= 0:
        if not (_PART_BEFORE.match(text, start - 1) if start else None) and not _PART_AFTER.match(
            text, start + len(host)
        ):
            return True
        start = text.find(host, start + 1)
    return False


def survey(rendering: str) -> dict[str, Service]:
    """Map name to service, in the order of the rendering."""
    return {name: _read(name, found) for name, found in read_services(parse_rendering(rendering)).items()}


def _read(name: str, found: Mapping[str, Json]) -> Service:
    image = Reference.parse(str(found.get("image") or ""))
    return Service(
        name=name,
        repository=image.repository,
        tag=image.tag,
        digest=image.digest,
        builds="build" in found,
        ports=tuple(_read_ports(found.get("ports"))),
        health_test=_read_test(read_object(found.get("healthcheck"))),
        command=_read_texts(found.get("command")),
        entrypoint=_read_texts(found.get("entrypoint")),
        environment={
            key: str(value) for key, value in read_object(found.get("environment")).items() if value is not None
        },
        depends_on={
            key: str(read_object(value).get("condition") or "")
            for key, value in read_object(found.get("depends_on")).items()
        },
        restarts=str(found.get("restart") or "no") in ("always", "unless-stopped"),
        network_mode=str(found.get("network_mode") or ""),
        folders=tuple(str(read_object(mount).get("target")) for mount in _read_list(found.get("volumes"))),
    )


def _read_ports(value: Json) -> Iterable[Port]:
    for port in map(read_object, _read_list(value)):
        target, published = port.get("target"), str(port.get("published") or "")
        if isinstance(target, int) and published.isdecimal() and port.get("protocol", "tcp") == "tcp":
            host = str(port.get("host_ip") or "")
            yield Port("" if host in ("0.0.0.0", "::") else host, int(published), target)  # noqa: S104 - read, not bound


def _read_test(healthcheck: Mapping[str, Json]) -> str:
    test = _read_texts(healthcheck.get("test"))
    return "" if healthcheck.get("disable") or test[:1] == ("NONE",) else " ".join(test)


def _read_texts(value: Json) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(str(item) for item in _read_list(value))


def _read_list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
