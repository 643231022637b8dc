"""Where the secrets of an app lie on its host: its ``.env``, its compose files and the files they name, its logins.

What cannot be read holds none for all we know: nothing here raises.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path

from orchestrator.adapters.compose.env_file import read_environment
from orchestrator.adapters.compose.names import find_path_names, find_rendering_names, find_setting_names
from orchestrator.adapters.compose.project_files import read_marks
from orchestrator.core.facts import FrozenProject
from orchestrator.core.files import read_beginning
from orchestrator.redaction.redactor import Redactor
from orchestrator.redaction.secret_detection import (
    find_in_document,
    find_in_environment,
    find_inner,
    find_secrets,
    is_secret_name,
)

_MAX_BYTES = 1024 * 1024
_TREES = (".yaml", ".yml", ".json")
_SETTING = re.compile(r"^[ \t]*+(?:-[ \t]*+)?[\"']?([\w.-]++)[\"']?[ \t]*+[:=][ \t]*+(\S.*+)$", re.MULTILINE)
_LOGINS = ("auth", "password", "identitytoken", "registrytoken")


def learn_run(mask: Redactor, folder: Path, project: FrozenProject | None) -> None:
    """Let ``mask`` know those of a run: in its copy of the project, and in the project as it is now."""
    variable = project.variable if project else ""
    mask.register(read_env_secrets(_read(folder / "env"), variable))
    learn_rendering(mask, _read(folder / "compose.template.json"))
    if project is not None:
        mask.register(read_project_secrets(project.directory, variable))


def learn_rendering(mask: Redactor, rendering: str) -> None:
    """Let ``mask`` know the secrets of a project as Compose renders it, and its names, which are none."""
    try:
        document = json.loads(rendering)
    except (ValueError, RecursionError):
        return
    mask.protect(find_rendering_names(document))
    for name, service in _entries(document, "services"):
        mask.register(_with_bare_dollars(find_in_document(service)), f"service {name}")
    mask.register(read_rendering_secrets(rendering))


def read_project_secrets(directory: Path, variable: str) -> Iterator[str]:
    """Those in the files that Compose reads of the project; ``variable`` holds the version, which is none."""
    for name in sorted(read_marks(directory, variable)):
        text = _read(Path(name))
        yield from _find_in_tree(text) if Path(name).suffix in _TREES else read_env_secrets(text, variable)


def read_project_names(directory: Path, variable: str) -> dict[str, str]:
    """What is called how in those files, as far as one line tells: images, roles, databases, the files themselves."""
    found: dict[str, str] = {}
    for name in sorted(read_marks(directory, variable)):
        text = _read(Path(name))
        pairs = _SETTING.findall(text) if Path(name).suffix in _TREES else read_environment(text).items()
        found |= find_setting_names((key, value.strip().strip("\"'")) for key, value in pairs)
        found |= find_path_names(name)
    return found


def read_env_secrets(text: str, variable: str) -> Iterator[str]:
    """Those in the text of an ``.env``."""
    return find_in_environment({name: value for name, value in read_environment(text).items() if name != variable})


def read_rendering_secrets(rendering: str) -> Iterator[str]:
    """Those in a project as Compose renders it, and in the files that it hands to containers as secrets."""
    try:
        document = json.loads(rendering)
    except (ValueError, RecursionError):
        return
    yield from _with_bare_dollars(find_in_document(document))
    for secret in _mappings(document, "secrets"):
        if isinstance(file := secret.get("file"), str):
            yield from find_secrets("secret", _read(Path(file)))
    for config in _mappings(document, "configs"):
        if isinstance(content := config.get("content"), str):
            yield from _find_in_tree(content)


def read_logins(environment: Mapping[str, str]) -> Iterator[str]:
    """Those in the configuration of Docker's command line, with which it logs in to registries."""
    folder = environment.get("DOCKER_CONFIG") or str(Path(environment.get("HOME") or "/root") / ".docker")
    try:
        document = json.loads(_read(Path(folder) / "config.json") or "{}")
    except ValueError:
        return
    for login in _mappings(document, "auths"):
        for value in (login.get(name) for name in _LOGINS):
            if isinstance(value, str):
                yield value
        with suppress(ValueError):
            yield base64.b64decode(str(login.get("auth", ""))).decode("utf-8", "replace").partition(":")[2]


def read_token(variable: str | None, environment: Mapping[str, str]) -> Iterator[str]:
    """The one for the releases: a token, or ``user:password``."""
    value = environment.get(variable, "") if variable else ""
    if value:
        yield from (value, value.partition(":")[2])


def _find_in_tree(text: str) -> Iterator[str]:
    for name, value in _SETTING.findall(text):
        if is_secret_name(name):
            yield from find_secrets(name, value.strip().strip("\"'"))
    yield from find_inner(text)


def _mappings(document: object, key: str) -> Iterator[Mapping[str, object]]:
    yield from (value for _, value in _entries(document, key))


def _entries(document: object, key: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    found = document.get(key) if isinstance(document, Mapping) else None
    for name, value in (found if isinstance(found, Mapping) else {}).items():
        if isinstance(value, Mapping):
            yield str(name), value


# Doubled in a rendering, because Compose would read it again as the name of a variable.
def _with_bare_dollars(secrets: Iterable[str]) -> Iterator[str]:
    return chain.from_iterable((secret, secret.replace("$$", "$")) for secret in secrets)


def _read(path: Path) -> str:
    with suppress(OSError):
        return read_beginning(path, _MAX_BYTES).decode("utf-8", "surrogateescape")
    return ""
