"""The files that Compose reads a project from, as texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.adapters.compose.env_file import read_environment
from orchestrator.core.errors import UsageError
from orchestrator.core.files import read_file
from orchestrator.init.compose_text import find_extended, find_includes

_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_MAX_FILES = 100


def read_env(folder: Path) -> str | None:
    """The text of the project's ``.env``, None without one. Raises `UsageError`."""
    path = folder / ".env"
    return _read(path) if path.exists() else None


def read_compose_files(folder: Path, env: str | None, named: Sequence[str]) -> dict[Path, str]:
    """Path → text of each file, what is included or extended before what does so, overrides last.

    Raises:
        UsageError: ``usage.not_readable``, ``usage.compose_text``.
    """
    found: dict[Path, str] = {}
    for path in _choose_main(folder, env, named):
        _add(found, path, ())
    return found


def _choose_main(folder: Path, env: str | None, named: Sequence[str]) -> Iterator[Path]:
    environment = read_environment(env or "")
    listed = environment.get("COMPOSE_FILE", "").split(environment.get("COMPOSE_PATH_SEPARATOR", ":"))
    files = list(named) or [name for name in listed if name]
    if files:
        yield from (folder / name for name in files)
        return
    main = next((folder / name for name in _NAMES if (folder / name).is_file()), None)
    if main is not None:
        yield main
        override = next((folder / name for name in _OVERRIDES if (folder / name).is_file()), None)
        if override is not None:
            yield override


# What cannot be read here Compose has read all the same (a repository, an archive), or has refused before.
def _add(found: dict[Path, str], path: Path, above: tuple[Path, ...]) -> None:
    if path in found or path in above or not path.is_file() or len(found) >= _MAX_FILES:
        return
    text = _read(path)
    for other in (*find_includes(text, path), *find_extended(text, path)):
        _add(found, other, (*above, path))
    found[path] = text


def _read(path: Path) -> str:
    try:
        return read_file(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(
            "usage.not_readable",
            f"{path} cannot be read: {why}.",
            impact="Nothing was written.",
            hint="Give this user the right to read it, or save it as UTF-8.",
        ) from error
