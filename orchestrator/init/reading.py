"""Read the files of a Compose project as texts."""

from collections.abc import Sequence
from pathlib import Path

from orchestrator.adapters.compose.project_files import find_compose_files
from orchestrator.core.files import read_file
from orchestrator.init.compose_text import find_extended, find_includes
from orchestrator.init.interview import refusal

_MAX_FILES = 100


def read_env(folder: Path) -> str | None:
    """Return the text of the project's ``.env``, None without one. Raises `UsageError`."""
    path = folder / ".env"
    return _read(path) if path.exists() else None


def read_compose_files(folder: Path, named: Sequence[str]) -> dict[Path, str]:
    """Map path to text of each file, included or extended files first, overrides last.

    Raises:
        UsageError: ``usage.not_readable``, ``usage.compose_text``.
    """
    read_env(folder)  # where it cannot be read, nobody knows which files it names
    found: dict[Path, str] = {}
    for path in [folder / name for name in named] or find_compose_files(folder):
        _add(found, path, ())
    return found


# A file that cannot be read here was read by Compose (a repository, an archive), or refused before.
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
        raise refusal(
            "usage.not_readable",
            f"{path} cannot be read: {why}.",
            hint="Give this user the right to read it, or save it as UTF-8.",
        ) from error
