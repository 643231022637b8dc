"""Asking engine and Compose how what runs differs from what would be started. Changes nothing.

Compose is asked only where something differs: its own hash of a service, which each container carries, then tells a
real difference from one that only this comparison sees. So a container that the project's files have made with the
Compose of this host never counts as different for a setting that nobody can change on it. A hash alone is no
difference: other versions of Compose calculate others.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from orchestrator.adapters.compose.command import Compose
from orchestrator.adapters.compose.drift.advice import advise, read_origin
from orchestrator.adapters.compose.drift.comparison import BEHIND_GATE, Deviation, compare
from orchestrator.adapters.compose.drift.rendered import Rendered
from orchestrator.adapters.compose.drift.texts import find_changed_texts
from orchestrator.adapters.compose.drift.values import (
    IMAGE,
    LIMIT,
    LOG_DRIVER,
    LOG_OPTION,
    RUNTIME,
    SHARED_MEMORY,
    Item,
)
from orchestrator.adapters.compose.gate import is_gated
from orchestrator.adapters.compose.render_private import build_gated_rendering
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.models import GATE_LABEL, ONE_OFF_LABEL, PROJECT_LABEL
from orchestrator.adapters.docker.settings import ContainerSettings, ImageSettings
from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.files import read_file
from orchestrator.core.model.workloads import Drift
from orchestrator.redaction.secret_detection import find_in_document

_DAEMON_FILE = Path("/etc/docker/daemon.json")
_FOLDER, _IMAGE = Item("project's folder"), Item(IMAGE)


@dataclass(frozen=True)
class DriftFinder:
    """``variables`` hold the version; ``files`` are those that an upgrade lets Compose read beside the folder's own."""

    engine: DockerEngine
    compose: Compose
    directory: Path
    variables: Mapping[str, str]
    files: Sequence[Path] = ()

    def find(self, rendering: str, *, services: Sequence[str] | None = None, gated: bool = False) -> Drift:
        """How the running containers differ from this rendering, with what makes them agree.

        ``gated``: a closed gate keeps them from their users, and what it holds back does not count.

        Raises:
            PlatformError: the engine cannot be asked.
        """
        rendered = Rendered.of(rendering, os.path.realpath)
        containers = self.engine.find_settings({PROJECT_LABEL: rendered.name, ONE_OFF_LABEL: "False"})
        state = _State(self.engine, rendered.name, containers)
        found = compare(
            rendered,
            containers,
            state.images,
            gates=state.gates,
            services=services,
            ignored=BEHIND_GATE if gated else (),
        )
        found = self._keep_real(rendered.name, found) if found else []
        found = [one for one in found if one.item != _IMAGE or (services is None and self._is_other_image(one))]
        found += find_changed_texts(self.engine, rendered, containers, self.directory, services)
        if services is None:
            found += self._find_other_folder(rendered, containers)
        if not found:
            return Drift()
        self.compose.mask.register(_find_secrets(found))
        differences = tuple(one.to_difference() for one in found)
        return Drift(differences=differences, hint="" if services else self._advise(found, state))

    # What the engine does by itself, and what Compose's own hash says to be as it would be made.
    def _keep_real(self, name: str, found: Sequence[Deviation]) -> list[Deviation]:
        left = [one for one in found if not self._is_default(one)]
        if not any(one.is_hashed for one in left):
            return left
        hashes = [self._read_hashes(name, file) for file in (None, *self.files)]
        return [
            one
            for one in left
            if not (
                one.is_hashed
                and one.container is not None
                and any(known.get(one.service) == one.container.config_hash for known in hashes)
            )
        ]

    # A way back gives the image that ran another name where its own leads elsewhere; its id is what `health` looks at.
    def _is_other_image(self, one: Deviation) -> bool:
        image = self.engine.find_image(one.rendered)
        return image is None or one.container is None or image.id != one.container.image

    def _read_hashes(self, name: str, file: Path | None) -> Mapping[str, str]:
        with suppress(PlatformError):
            return self.compose.read_hashes(
                self.directory, self.variables, file=file, name=name if file is not None else None
            )
        return {}

    def _is_default(self, one: Deviation) -> bool:
        kinds = (LOG_DRIVER, LOG_OPTION, RUNTIME, LIMIT, SHARED_MEMORY)
        return one.item.kind in kinds and not one.rendered and self._defaults.get(one.item) == one.running

    @cached_property
    def _defaults(self) -> Mapping[Item, str]:
        engine = self.engine.inspect()
        document = _read_daemon_file() if self.engine.is_local() else {}
        options, limits = _mapping(document.get("log-opts")), _mapping(document.get("default-ulimits"))
        return {
            Item(LOG_DRIVER): engine.logging_driver,
            Item(RUNTIME): engine.default_runtime,
            **{Item(LOG_OPTION, name): str(value) for name, value in options.items()},
            **{
                Item(LIMIT, name): f"{_mapping(limit).get('Soft')}:{_mapping(limit).get('Hard')}"
                for name, limit in limits.items()
            },
        }

    # A project of the same name somewhere else: its own files would bring its version back, onto other data.
    def _find_other_folder(self, rendered: Rendered, containers: Sequence[ContainerSettings]) -> Iterable[Deviation]:
        for container in containers:
            origin = read_origin(container.config.labels)
            if container.up and container.service in rendered.services and origin.is_elsewhere(self.directory):
                yield Deviation(container.service, _FOLDER, str(origin.folder), str(self.directory), container)

    def _advise(self, found: Sequence[Deviation], state: _State) -> str:
        services = {one.service for one in found}
        origins = [read_origin(one.config.labels) for one in state.containers if one.up and one.service in services]
        return advise(
            found, origins, self.directory, lambda files: self._would_agree(files, state), self._find_profiles
        )

    def _would_agree(self, files: str, state: _State) -> bool:
        with suppress(PlatformError):
            text = self.compose.render(self.directory, {**self.variables, "COMPOSE_FILE": files})
            rendered = Rendered.of(text, os.path.realpath)
            found = compare(rendered, state.containers, state.images, gates=state.gates)
            return not any(not self._is_default(one) for one in found)
        return False

    def _find_profiles(self, service: str) -> tuple[str, ...]:
        with suppress(PlatformError):
            text = self.compose.render(self.directory, {**self.variables, "COMPOSE_PROFILES": "*"})
            profiles = Rendered.of(text, os.path.realpath).services.get(service, {}).get("profiles")
            return tuple(map(str, profiles)) if isinstance(profiles, list) else ()
        return ()


def find_frozen(
    engine: DockerEngine,
    compose: Compose,
    project: FrozenProject,
    rendering: str,
    variables: Mapping[str, str],
    services: Sequence[str] | None,
    *,
    gated: bool,
) -> Drift:
    """How the containers differ from a frozen project, in the form in which an upgrade starts it behind the gate."""
    file = project.template.with_name("compose.services.json")
    if gated and services is not None and is_gated(engine, project.name, services):
        rendering = build_gated_rendering(rendering, services)
        file = project.template.with_name("compose.gated.json")
    finder = DriftFinder(engine, compose, project.directory, variables, [file] if file.is_file() else [])
    return finder.find(rendering, services=services, gated=gated)


class _State:
    """What the engine has of a project, each asked for when it is needed."""

    def __init__(self, engine: DockerEngine, name: str, containers: Sequence[ContainerSettings]) -> None:
        self.containers = containers
        self.gates = engine.find_networks({GATE_LABEL: name})
        found = {image: engine.find_image_settings(image) for image in {one.image for one in containers if one.up}}
        self.images: dict[str, ImageSettings] = {image: known for image, known in found.items() if known is not None}


def _find_secrets(found: Sequence[Deviation]) -> Iterable[str]:
    for container in {one.container.id: one.container for one in found if one.container is not None}.values():
        config = container.config
        variables = dict(one.split("=", 1) for one in config.env if "=" in one)
        yield from find_in_document(
            {
                "environment": variables,
                "labels": config.labels,
                "command": list(config.cmd),
                "entrypoint": list(config.entrypoint),
                "options": container.host_config.log_config.config,
            }
        )


def _read_daemon_file() -> Mapping[str, object]:
    with suppress(OSError, ValueError):
        return _mapping(json.loads(read_file(_DAEMON_FILE)))
    return {}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
