"""Releases announced in a JSON file: ``{"releases": [{"version": "v1.1.0", "notes": …, "url": …}]}``."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from orchestrator.errors import ReleaseError
from orchestrator.model import Release, Word

_MAX_BYTES = 4 * 1024**2


class _Document(Word):
    releases: tuple[Release, ...]


class FileFeed:
    """Implements `orchestrator.ports.ReleaseFeed` on a file of at most 4 MiB."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def list_releases(self) -> tuple[Release, ...]:
        """All releases of the file. ``releases.not_found``, ``releases.hostile``."""
        try:
            with self._path.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise ReleaseError(
                "releases.not_found",
                f"The release file {self._path} cannot be read: {error.strerror}.",
                meaning="Nothing was touched.",
                hint="Correct `releases: path:` in the plan; it is relative to the plan file.",
            ) from error
        if len(content) > _MAX_BYTES:
            raise ReleaseError("releases.hostile", f"The release file {self._path} is larger than 4 MiB.")
        try:
            return _Document.model_validate(json.loads(content)).releases
        except (ValidationError, ValueError, RecursionError) as error:
            raise ReleaseError(
                "releases.hostile",
                f"The release file {self._path} is not a list of releases.",
                meaning="Nothing was touched.",
                hint='It holds {"releases": [{"version": "v1.1.0", "notes": "…"}]}.',
            ) from error
