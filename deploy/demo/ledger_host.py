"""A host that runs the ledger: a project folder as its operator keeps it, and the project's containers."""

import http
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import docker
from docker.models.containers import Container

from .commands import BedError, run_command
from .registry import find_free_port

UP_TIMEOUT_S = 120
COMPOSE_TIMEOUT_S = 120
REMOVAL_TIMEOUT_S = 30
ENVIRONMENT = {"COMPOSE_ANSI": "never", "COMPOSE_MENU": "0", "DOCKER_CLI_HINTS": "false"}

LABEL = "upgrade-orchestrator.bed"
"""Label on everything that a test bed makes."""

_COMPOSE_LABEL = "com.docker.compose"

# As people write it: one variable says which version runs.
_COMPOSE = """\
name: {project}

x-labels: &labels
  {label}: {owner}

services:
  db:
    image: {postgres}
    labels: *labels
    restart: unless-stopped
    environment:
      POSTGRES_USER: ledger
      POSTGRES_PASSWORD: ${{POSTGRES_PASSWORD}}
      POSTGRES_DB: ledger
    volumes:
      - database:/var/lib/postgresql/data
    healthcheck:
      test: [CMD, pg_isready, --host, 127.0.0.1, --username, ledger, --dbname, ledger]
      interval: 1s
      timeout: 3s
      retries: 30

  app:
    image: {repository}:${{APP_VERSION}}
    labels: *labels
    restart: unless-stopped
    depends_on:
      db:
        condition: service_healthy
    environment:
      DATABASE_URL: postgresql://ledger:${{POSTGRES_PASSWORD}}@db:5432/ledger
      TZ: ${{TZ}}
{announcing}    ports:
      - "127.0.0.1:${{APP_PORT}}:5100"

volumes:
  database:
    labels: *labels

networks:
  default:
    labels: *labels
"""

# The folder, because the file in it is replaced as a whole.
_ANNOUNCING = """\
      RELEASES_FILE: /announced/{name}
    volumes:
      - type: bind
        source: {folder}
        target: /announced
        read_only: true
"""

_ENV = """\
# Settings of the ledger on this host. Kept by hand, so leave the comments alone.

POSTGRES_PASSWORD={password}

# Which version runs
IMAGE={repository}
APP_VERSION={tag}
  TZ = "Europe/Berlin"   # the shop's clock
APP_PORT={port}
BACKUP_NOTE='ask Kim before deleting $anything'
"""


@dataclass
class LedgerHost:
    """One installation of the ledger; `project` must be unique on the engine, `folder` must not exist yet.

    As a context manager it removes on leaving the containers, networks and volumes that carry its project
    name; the folder gets the owner of the one above it. `owner` is the value of the label `LABEL`, `announced`
    the file in which the app reads of releases.
    """

    client: docker.DockerClient
    folder: Path
    project: str
    repository: str
    tag: str
    postgres_image: str
    owner: str = ""
    announced: Path | None = None
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)
    app_port: int = field(default_factory=find_free_port)

    @property
    def url(self) -> str:
        """Address at which users reach the app, without a trailing slash."""
        return f"http://127.0.0.1:{self.app_port}"

    def create(self) -> None:
        """Write the project folder: `docker-compose.yml`, `.env` (mode 0600) and an empty `backups/`."""
        self.folder.mkdir(parents=True)
        (self.folder / "backups").mkdir(mode=0o700)
        (self.folder / "docker-compose.yml").write_text(self._compose_text(), encoding="utf-8")
        env = self.folder / ".env"
        env.touch(mode=0o600)
        env.write_text(self._env_text(), encoding="utf-8")

    def install(self) -> None:
        """Bring the host into service as its operator did on the first day: database, migration, app."""
        self.up("db")
        self.migrate()
        self.up()

    def up(self, *services: str) -> None:
        """Start services (all when none is named) and wait until they are healthy; raises `BedError`."""
        self.compose("up", "--detach", "--wait", "--wait-timeout", str(UP_TIMEOUT_S), *services)

    def stop(self, *services: str) -> None:
        """Stop services, all when none is named."""
        self.compose("stop", *services)

    def migrate(self) -> str:
        """Run the pinned version's migration in a one-off container; return its words, raises `BedError`."""
        return self.compose("run", "--rm", "--no-deps", "app", "ledger", "migrate")

    def pin(self, tag: str) -> None:
        """Set the version in `.env`; every other line stays as it is."""
        env = self.folder / ".env"
        env.write_text(set_variable(env.read_text(encoding="utf-8"), "APP_VERSION", tag), encoding="utf-8")
        self.tag = tag

    def psql(self, statement: str, database: str = "ledger") -> str:
        """Run SQL as the database's owner and return bare rows, columns split by '|'; raises `BedError`."""
        argv = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]
        argv += ["--username", "ledger", "--dbname", database, "--command", statement]
        return self.compose("exec", "--no-TTY", "db", *argv).strip()

    def read_aside(self, database: str) -> dict[int, str]:
        """Number and hash of each entry in a database that was set aside; it is opened for this look only."""
        name = f'"{database}"'
        self.psql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true", database="postgres")
        try:
            rows = self.psql("SELECT id, hash FROM entries", database=database).splitlines()
        finally:
            self.psql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false", database="postgres")
        return {int(number): digest for number, digest in (row.split("|") for row in rows)}

    def container(self, service: str) -> Container:
        """Find the one container of a service, running or not; raises `BedError`."""
        found = self._containers(f"{_COMPOSE_LABEL}.service={service}", f"{_COMPOSE_LABEL}.oneoff=False")
        if len(found) != 1:
            raise BedError(f"service {service} of {self.project} has {len(found)} containers")
        return found[0]

    def compose(self, *arguments: str) -> str:
        """Run `docker compose` in the project folder and return its stdout; raises `BedError`."""
        return run_command(
            ["docker", "compose", *arguments],
            timeout_s=COMPOSE_TIMEOUT_S + UP_TIMEOUT_S,
            cwd=self.folder,
            environment=ENVIRONMENT,
        )

    def down(self) -> None:
        """Remove all that belongs to the project, also one-off containers and guests of its networks."""
        for network in self.client.networks.list(filters=self._filter()):
            network.reload()
            for member in network.containers:
                _remove_container(member)
        for container in self._containers():
            _remove_container(container)
        for network in self.client.networks.list(filters=self._filter()):
            network.remove()
        for volume in self.client.volumes.list(filters=self._filter()):
            volume.remove(force=True)

    def __enter__(self) -> Self:
        self.create()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def _compose_text(self) -> str:
        file = self.announced
        return _COMPOSE.format(
            announcing=_ANNOUNCING.format(name=file.name, folder=file.parent) if file else "",
            project=self.project,
            label=LABEL,
            owner=self.owner or self.project,
            postgres=self.postgres_image,
            repository=self.repository,
        )

    def _env_text(self) -> str:
        return _ENV.format(password=self.password, repository=self.repository, tag=self.tag, port=self.app_port)

    def _filter(self, *labels: str) -> dict[str, str | list[str] | bool]:
        return {"label": [f"{_COMPOSE_LABEL}.project={self.project}", *labels]}

    def _containers(self, *labels: str) -> list[Container]:
        return self.client.containers.list(all=True, filters=self._filter(*labels), ignore_removed=True)


def set_variable(text: str, name: str, value: str) -> str:
    """Text of an env file with `name` set to `value`; its spacing and all other lines stay as they were."""
    pattern = re.compile(rf"^(\s*(?:export\s+)?{re.escape(name)}[ \t]*=[ \t]*)\S*", re.MULTILINE)
    if pattern.search(text):
        return pattern.sub(lambda match: match[1] + value, text)
    separator = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{separator}{name}={value}\n"


# A one-off container may be on its way out by itself, which the engine calls a conflict.
def _remove_container(container: Container) -> None:
    try:
        container.remove(force=True, v=True)
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as error:
        if error.status_code != http.HTTPStatus.CONFLICT:
            raise
        with suppress(docker.errors.NotFound):
            container.wait(condition="removed", timeout=REMOVAL_TIMEOUT_S)
