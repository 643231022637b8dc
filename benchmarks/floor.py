"""The floor: engine calls and statements with nothing around them, for the same upgrade. Nobody could be quicker.

Nothing is checked, recorded, fenced or proven; the image is there, the connections are open. What an upgrade cannot do
without is in it: stop, copy of the quiesced database, migration, a container of the new version.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import docker
import psycopg
from docker.models.containers import Container

from benchmarks.ground import BAD_MIGRATION, GOOD, NEVER_GOOD, OLD
from deploy.demo.bed import BedError, LedgerHost

_GRACE_S = 10
_MIGRATION_S = 300
_HASH = "com.docker.compose.config-hash"
_COPY = "ledger__floor"
_ASIDE = "ledger__floor_aside"


@dataclass
class Floor:
    """Goes from the old release to another one, or back. ``parts`` says how long each call took, in seconds."""

    host: LedgerHost
    parts: dict[str, float] = field(default_factory=dict)

    def go(self, target: str) -> None:
        """Upgrade, and end when the last container was started; the caller observes it from outside."""
        app = self.host.container("app")
        with closing(self._connect()) as database:
            self._stop(app)
            self._copy(database)
            migrated = self._migrate(app, target)
            if migrated is not (target != BAD_MIGRATION):
                raise BedError(f"the migration of {target} ended as it should not have")
            if target == GOOD:
                with self._timed("start"):
                    self._replace(app, target)
                return
            if target == NEVER_GOOD:
                app = self._try(app, target)
            self._swap(database)
        with self._timed("start"):
            if target == NEVER_GOOD:
                self._replace(app, OLD)
            else:
                app.start()

    def _stop(self, app: Container) -> None:
        with self._timed("stop"):
            app.stop(timeout=_GRACE_S)

    def _copy(self, database: psycopg.Connection) -> None:
        with self._timed("copy"):
            database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'ledger'")
            database.execute(f"CREATE DATABASE {_COPY} TEMPLATE ledger STRATEGY FILE_COPY".encode())

    def _migrate(self, app: Container, target: str) -> bool:
        with self._timed("migrate"):
            config = _configure(app, f"{self.host.repository}:v{target}")
            api = self._api
            made = _create(api, {**config, "Cmd": ["ledger", "migrate"], "HostConfig": _alone(app)})
            api.start(made)
            exit_code = api.wait(made, timeout=_MIGRATION_S)["StatusCode"]
        api.remove_container(made)
        return bool(exit_code == 0)

    # How long it is given is a deliberate wait: the floor sees at once that it is not good.
    def _try(self, app: Container, target: str) -> Container:
        with self._timed("start of the bad one"):
            tried = self._replace(app, target)
        with self._timed("end of the bad one"):
            tried.kill()  # it may still be booting, when it would not hear a stop before its grace is over
        return tried

    def _swap(self, database: psycopg.Connection) -> None:
        with self._timed("swap"), database.transaction():
            database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'ledger'")
            database.execute(f"ALTER DATABASE ledger RENAME TO {_ASIDE}".encode())
            database.execute(f"ALTER DATABASE {_COPY} RENAME TO ledger".encode())

    def _replace(self, app: Container, version: str) -> Container:
        """Replace a container by one like it, of another version and under its name, and start it."""
        config, host_config = _configure(app, f"{self.host.repository}:v{version}"), app.attrs["HostConfig"]
        networks = app.attrs["NetworkSettings"]["Networks"]
        aliases = {network: {"Aliases": settings["Aliases"]} for network, settings in networks.items()}
        app.remove(force=True)
        made = _create(
            self._api,
            {**config, "HostConfig": host_config, "NetworkingConfig": {"EndpointsConfig": aliases}},
            str(app.name),
        )
        self._api.start(made)
        return self.host.client.containers.get(made)

    def _connect(self) -> psycopg.Connection:
        networks = self.host.container("db").attrs["NetworkSettings"]["Networks"]
        address = next(iter(networks.values()))["IPAddress"]
        return psycopg.connect(
            host=address, user="ledger", password=self.host.password, dbname="postgres", autocommit=True
        )

    @property
    def _api(self) -> docker.APIClient:
        return self.host.client.api

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.parts[part] = time.monotonic() - began


def _alone(app: Container) -> dict[str, Any]:
    """Settings for a container beside this one: in its networks, without its ports."""
    return {"NetworkMode": app.attrs["HostConfig"]["NetworkMode"]}


def _create(api: docker.APIClient, config: dict[str, Any], name: str | None = None) -> str:
    made = api.create_container_from_config(config, name)  # type: ignore[no-untyped-call]  # the stubs leave it open
    return str(made["Id"])


# Settings of the image are left to the other image; Compose shall know the container, but not as that of its file.
def _configure(app: Container, reference: str) -> dict[str, Any]:
    own = app.image.attrs["Config"]["Env"] if app.image else []
    return {
        "Image": reference,
        "Env": [entry for entry in app.attrs["Config"]["Env"] if entry not in own],
        "Labels": {**app.labels, _HASH: "floor"},
        "ExposedPorts": app.attrs["Config"].get("ExposedPorts", {}),
    }
