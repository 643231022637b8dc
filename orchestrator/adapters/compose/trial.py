"""A stage of Compose: a project of its own with a scratch database server, as the port `Trials`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.adapters.compose.command import Compose
from orchestrator.adapters.compose.frozen import read_frozen
from orchestrator.adapters.compose.render_private import Published, find_published
from orchestrator.adapters.compose.render_trial import (
    StagePlan,
    find_kept,
    find_sources,
    find_stage_limits,
    find_staged,
    list_services,
)
from orchestrator.adapters.compose.trial_confinement import Sight
from orchestrator.adapters.compose.trial_containers import TrialContainers, build_labels, stage_name
from orchestrator.adapters.compose.trial_dependencies import find_needs
from orchestrator.adapters.compose.trial_host_scan import look_through
from orchestrator.adapters.docker.container_exec import ContainerExec
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.models import (
    ONE_OFF_LABEL,
    PROJECT_LABEL,
    SERVICE_LABEL,
)
from orchestrator.adapters.docker.relay import Relay
from orchestrator.adapters.postgres.port import find_other_place
from orchestrator.adapters.postgres.roles import copy_roles
from orchestrator.adapters.postgres.server import Postgres
from orchestrator.adapters.postgres.store import PostgresStore
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DatabaseError, PlatformError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.model.workloads import ProbeAnswer
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.ports.workloads import Containers
from orchestrator.redaction.terminal_text import sanitize

_DATA = "/var/lib/postgresql/data"
_OPEN_S = 300.0
_QUICK_S = 60.0
_POLL_S = 0.25
_LOG_LINES = 10
_PRIVATE = 0o600
_ALONE = "nothing outside of the copy is reached: no internet, not this host, no other project"


@dataclass(frozen=True)
class ComposeTrials:
    """Stages beside a project; ``live`` reaches into its database's container, ``user`` and ``name`` are the plan's."""

    engine: DockerEngine
    compose: Compose
    live: ContainerExec
    user: str | None
    name: str | None

    def open(
        self,
        project: FrozenProject,
        services: Sequence[str],
        *,
        run_id: str,
        directory: Path,
        writable: Sequence[str],
        deadline: Deadline,
    ) -> ComposeTrial:
        """See `Trials.open`."""
        environment = self.live.read_environment()
        data = [environment.get("PGDATA") or _DATA, environment.get("POSTGRES_INITDB_WALDIR")]
        template = read_frozen(project)
        images = self._find_images(project, list_services(template))
        needs = find_needs(template, find_staged(template, (*services, self.live.service)), {*images})
        plan = StagePlan(
            name=stage_name(run_id),
            run_id=run_id,
            services=tuple(services),
            database=self.live.service,
            images=images,
            data=tuple(path for path in data if path),
            writable=tuple(writable),
            helpers=needs.found,
        )
        plan = replace(plan, sights=self._look(template, plan, deadline))
        left_out = [f"{name} is not there ({why})" for name, why in needs.left_out.items()]
        stage = ComposeTrial(self, plan, template, directory, left_out)
        stage.start_database(project, deadline.sooner(_OPEN_S, what="The start of a scratch database server"))
        copy_roles(self.live, self.user, stage.executor, deadline=deadline)
        stage.start_helpers(project, deadline)
        return stage

    def remove_all(self, run_id: str) -> None:
        """See `Trials.remove_all`."""
        labels = build_labels(run_id)
        for container in self.engine.find_containers(labels):
            self.engine.destroy_container(container.id)
        for network in self.engine.find_networks(labels):
            self.engine.remove_network(network)
        for volume in self.engine.find_volumes(labels):
            self.engine.remove_volume(volume)

    def list_remnants(self, run_id: str) -> tuple[str, ...]:
        """See `Trials.list_remnants`."""
        labels = build_labels(run_id)
        containers = (container.name.lstrip("/") for container in self.engine.find_containers(labels))
        return (*containers, *self.engine.find_networks(labels), *self.engine.find_volumes(labels))

    def _look(self, template: str, plan: StagePlan, deadline: Deadline) -> Mapping[str, Sight]:
        image = plan.images.get(plan.database)
        sources = find_sources(template, find_kept(template, plan))
        if image is None:
            return {}
        name = f"{plan.name}-look"
        return look_through(self.engine, image, sources, name=name, labels=build_labels(plan.run_id), deadline=deadline)

    # By id: a tag may lead elsewhere by now. The services that follow the version get their image from the pin.
    def _find_images(self, project: FrozenProject, services: Sequence[str]) -> Mapping[str, str]:
        steady = [service for service in services if service not in project.services]
        found = [(service, self._find_image(project.name, service)) for service in steady]
        return {service: image for service, image in found if image is not None}

    def _find_image(self, project: str, service: str) -> str | None:
        labels = {PROJECT_LABEL: project, SERVICE_LABEL: service, ONE_OFF_LABEL: "False"}
        return next((one.image for one in self.engine.find_containers(labels) if one.up), None)


class ComposeTrial:
    """One open stage; ``executor`` reaches into the container of its database server."""

    def __init__(
        self, stages: ComposeTrials, plan: StagePlan, template: str, directory: Path, left_out: Sequence[str] = ()
    ) -> None:
        self._engine = stages.engine
        self._plan = plan
        self._template = template
        self._left_out = list(left_out)
        self._containers = TrialContainers(stages.engine, stages.compose, plan, directory)
        self.executor = ContainerExec(lambda: stages.engine.client, lambda: plan.name, plan.database)
        self._relay = Relay(self.executor)
        self._store = PostgresStore(Postgres(self.executor, stages.user, stages.name))

    @property
    def containers(self) -> Containers:
        """See `Trial.containers`."""
        return self._containers

    @property
    def stores(self) -> tuple[DataStore, ...]:
        """See `Trial.stores`."""
        return (self._store,)

    def start_database(self, project: FrozenProject, deadline: Deadline) -> None:
        """Start the scratch server and wait until it lets clients in for good.

        Raises:
            PlatformError: ``stage.database_failed``, ``compose.failed``.
        """
        self._containers.up(project, (self._plan.database,), project.pin_text, alone=True, deadline=deadline)
        deadline.poll(self._find_ready, every_s=_POLL_S)

    def start_helpers(self, project: FrozenProject, deadline: Deadline) -> None:
        """Start what the services name and do not depend on; what does not start is one of the limits."""
        if self._plan.helpers:
            try:
                self._containers.up(project, self._plan.helpers, project.pin_text, alone=True, deadline=deadline)
            except PlatformError as error:
                if error.code.startswith("engine."):
                    raise
                self._left_out.append(f"{', '.join(self._plan.helpers)} could not be started there ({error.summary})")

    def limits(self) -> tuple[str, ...]:
        """See `Trial.limits`."""
        helpers = self._containers.find(self._plan.helpers)
        return (
            *find_stage_limits(self._template, self._plan),
            *self._left_out,
            *(f"{one.labels[SERVICE_LABEL]} has ended there" for one in helpers if not one.up),
            _ALONE,
        )

    def disk_usage(self) -> int:
        """See `Trial.disk_usage`."""
        # Files come and go under it, which it complains of and counts the rest.
        argv = ["du", "-sk", *self._plan.data]
        outcome = self.executor.run(argv, deadline=self.executor.allow(_QUICK_S, "Measuring a scratch database"))
        sizes = [line.split()[0] for line in outcome.output.decode(errors="replace").splitlines() if line.strip()]
        if not sizes:
            raise DatabaseError(
                "stage.size_unknown", f"The size of the scratch database is not known: {outcome.errors}"
            )
        return sum(int(size) for size in sizes) * 1024

    def reaches(self, url: str) -> bool:
        """See `Trial.reaches`."""
        return self._find_published(url) is not None and self._relay.is_usable()

    def get(self, url: str, *, timeout_s: float, asked: str | None = None) -> ProbeAnswer:
        """See `Trial.get`."""
        behind = self._find_published(url)
        containers = self._containers.find((behind.service,)) if behind else ()
        addresses = [found for container in containers for found in container.addresses]
        if behind is None or not addresses:
            return ProbeAnswer(status=None, error="no container of it runs")
        return self._relay.get(url, addresses[0], behind.port, timeout_s=timeout_s)

    # --- how

    def _find_published(self, url: str) -> Published | None:
        tried = find_published(self._template, self._plan.services, url)
        return tried or find_published(self._template, find_staged(self._template, self._plan.services), url)

    # The server that the image starts to set itself up listens on no address.
    def _find_ready(self) -> bool | None:
        container = next(iter(self._containers.find((self._plan.database,))), None)
        if container is None or not container.up:
            words = b"".join(self._engine.read_log(container.id, lines=_LOG_LINES)) if container else b""
            raise PlatformError(
                "stage.database_failed",
                "The scratch database server has ended.",
                hint="It was started like the live one, with an empty data directory.",
                log_tail=sanitize(words.decode(errors="replace")),
            )
        short = self.executor.allow(_QUICK_S, "A question to a scratch database server")
        with suppress(DatabaseError):  # it has ended since, as the next look says
            return self._is_ready(short) or None
        return None

    def _is_ready(self, within: Deadline) -> bool:
        asked = ["pg_isready", "-q", "-h", "127.0.0.1"]
        if self.executor.run(asked, deadline=within).exit_code == 0:
            return True
        port = find_other_place(self.executor).get("PGPORT")
        elsewhere = {"PGPORT": port} if port else None
        return bool(port) and self.executor.run(asked, deadline=within, environment=elsewhere).exit_code == 0
