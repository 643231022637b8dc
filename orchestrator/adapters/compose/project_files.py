"""The files that a Compose project is read from, and whether somebody has edited them since.

Compose does not say which files it has read, so a file counts as one of them when another one mentions it. What is
kept of a file is a hash, and nothing of what is in it.
"""

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from orchestrator.adapters.compose.env_file import find_variable, replace_variable
from orchestrator.core.files import read_beginning

_ENVIRONMENT = ".env"
_FILES_VARIABLE = "COMPOSE_FILE"
_SEPARATOR_VARIABLE = "COMPOSE_PATH_SEPARATOR"
_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = (  # in the order of Compose, which is another one than that of the names above
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
# What follows on a colon is a place in a container: such a file is mounted, and Compose does not read it.
_MENTION = re.compile(r"(?<![\w./-])[\w./-]*\.(?:ya?ml|json|env(?:\.[\w.-]+)?)\b(?!:/)", re.ASCII)
_FILES_AT_MOST = 100
_MAX_BYTES = 1024 * 1024
_MARK = b"\xef\xbb\xbf"


def read_marks(directory: Path, variable: str) -> dict[str, str]:
    """Path → hash of each file that the project in ``directory`` is read from.

    The value of ``variable`` in the ``.env`` does not count: it is ours to change.
    """
    marks: dict[str, str] = {}
    waiting = find_first(directory)
    while waiting and len(marks) < _FILES_AT_MOST:
        path = waiting.pop(0)
        content = _read(path)
        if content is None or str(path) in marks:
            continue
        marks[str(path)] = _hash(content, variable if path.name == _ENVIRONMENT else None)
        if path.suffix in {".yaml", ".yml"}:
            waiting += _find_mentioned(content, path.parent, directory)
    return marks


def find_compose_files(directory: Path) -> tuple[Path, ...]:
    """Return the compose files that Compose begins with in this folder, in their order."""
    return tuple(find_first(directory)[1:])


def find_changed(marks: Mapping[str, str], directory: Path, variable: str) -> tuple[str, ...]:
    """Names of the files that are not as they were when ``marks`` were taken; those that are new among them."""
    changed = [path for path, mark in marks.items() if _mark_now(Path(path), directory, variable) != mark]
    changed += [path for path in read_marks(directory, variable) if path not in marks]
    return tuple(_name(Path(path), directory) for path in changed)


def is_environment(content: bytes, marks: Mapping[str, str], directory: Path, variable: str) -> bool:
    """Whether this is the ``.env`` that ``marks`` were taken of; True where they know of none."""
    mark = marks.get(str(directory / _ENVIRONMENT))
    return mark is None or _hash(content, variable) == mark


def find_first(directory: Path) -> list[Path]:
    """The ``.env`` and the compose files that Compose begins with."""
    environment = directory / _ENVIRONMENT
    text = (_read(environment) or b"").decode("utf-8", "surrogateescape")
    listed = find_variable(text, _FILES_VARIABLE)
    if listed:
        separator = find_variable(text, _SEPARATOR_VARIABLE) or ":"
        return [environment, *(_absolute(directory, name) for name in listed.split(separator) if name)]
    # Of several names Compose takes the first one that is there.
    chosen = [next((name for name in names if (directory / name).is_file()), None) for names in (_NAMES, _OVERRIDES)]
    return [environment, *(directory / name for name in chosen if name)]


def _find_mentioned(content: bytes, *folders: Path) -> list[Path]:
    names = dict.fromkeys(_MENTION.findall(content.decode("utf-8", "replace")))
    places = (_absolute(folder, name) for name in names for folder in dict.fromkeys(folders))
    return [place for place in places if place.is_file()]


def _absolute(folder: Path, name: str) -> Path:
    return Path(*(folder / name).parts).resolve() if ".." in name else folder / name


def _mark_now(path: Path, directory: Path, variable: str) -> str | None:
    content = _read(path)
    return None if content is None else _hash(content, variable if path == directory / _ENVIRONMENT else None)


def _read(path: Path) -> bytes | None:
    with suppress(OSError):
        return read_beginning(path, _MAX_BYTES)
    return None


def _hash(content: bytes, variable: str | None) -> str:
    if variable is not None:
        text = content.decode("utf-8", "surrogateescape")
        with suppress(KeyError):
            content = replace_variable(text, variable, "").encode("utf-8", "surrogateescape")
    return hashlib.sha256(content.removeprefix(_MARK)).hexdigest()


def _name(path: Path, directory: Path) -> str:
    return str(path.relative_to(directory)) if path.is_relative_to(directory) else str(path)
