"""Configs and secrets that Compose copies into containers: it forgets what it has copied, so the files are read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.adapters.compose.drift.comparison import Deviation
from orchestrator.adapters.compose.drift.rendered import Rendered
from orchestrator.adapters.compose.drift.values import TEXT, Item
from orchestrator.adapters.compose.env_file import read_environment, read_text
from orchestrator.adapters.compose.rendering import JsonObject, read_object
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.settings import ContainerSettings

ReadVariables = Callable[[], Mapping[str, str]]

_IS, _OTHER = "is set", "has another text"


@dataclass(frozen=True)
class CopiedText:
    """What is to be in a file of a container; ``content`` is None where nobody says it any more."""

    name: str
    path: str
    content: str | None


def find_changed_texts(
    engine: DockerEngine,
    rendered: Rendered,
    containers: Sequence[ContainerSettings],
    directory: Path,
    services: Sequence[str] | None,
) -> Iterator[Deviation]:
    """Texts that differ from those in the containers; never what is in them. What cannot be read is as it should be."""
    for container in containers:
        if not container.up or container.service not in (rendered.services if services is None else services):
            continue
        for text in find_texts(rendered, container.service, lambda: _read_variables(directory)):
            there = engine.read_file(container.id, text.path)
            if there is not None and (text.content is None or there != text.content.encode()):
                after = "" if text.content is None else _OTHER
                yield Deviation(container.service, Item(TEXT, text.name), _IS, after, container)


def find_texts(rendered: Rendered, service: str, read_variables: ReadVariables) -> Iterator[CopiedText]:
    """Those of a service that are given as a text or by a variable."""
    said = rendered.services.get(service, {})
    for key, folder in (("configs", "/"), ("secrets", "/run/secrets/")):
        known = read_object(rendered.project.get(key))
        used = said.get(key)
        for one in used if isinstance(used, list) else ():
            use = read_object(one)
            source, target = str(use.get("source") or ""), str(use.get("target") or "")
            path = target if target.startswith("/") else f"{folder}{target or source}"
            yield from _read_text(source, path, read_object(known.get(source)), read_variables)


def _read_text(source: str, path: str, given: JsonObject, read_variables: ReadVariables) -> Iterator[CopiedText]:
    content, variable = given.get("content"), given.get("environment")
    if isinstance(content, str):
        yield CopiedText(source, path, content)
    elif isinstance(variable, str):
        value = read_variables().get(variable)
        if value is None or not set(value) & set("$\\"):  # else Compose makes something of it
            yield CopiedText(source, path, value)


def _read_variables(directory: Path) -> Mapping[str, str]:
    with suppress(OSError):
        return read_environment(read_text(directory / ".env"))
    return {}
