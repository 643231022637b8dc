"""Read releases from a JSON file, for hosts without the internet and for tests."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from orchestrator.adapters.http.budget import Budget, SpentError
from orchestrator.adapters.http.json_reader import DocumentError, clean_text, read_json
from orchestrator.core.errors import UNTOUCHED, ReleaseError
from orchestrator.core.files import read_beginning
from orchestrator.core.model.releases import Release
from orchestrator.redaction.terminal_text import cut_text

_MAX_BYTES = 4 * 1024 * 1024
_NOTES_AT_MOST = 256 * 1024  # less is shown, and cut where their secrets are known
_ADDRESS_AT_MOST = 2048


class FileFeed:
    """A file with ``{"releases": [{"version", "notes", "url", "published_at", "prerelease", "draft"}]}``.

    Only ``version`` is required. An entry that is not of this shape is left out.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def list_releases(self) -> tuple[Release, ...]:
        """Return all entries of the file.

        Raises:
            ReleaseError: ``releases.not_found``, ``releases.denied`` (the file cannot be read),
                ``releases.hostile`` (it is larger than 4 MiB, not JSON, has no list of releases,
                or a longer one than any source may send).
        """
        budget, entries = Budget(), self._read_entries()
        try:
            budget.take_entries(len(entries))
        except SpentError as cause:
            raise self._hostile(str(cause)) from cause
        return read_releases((entry for entry in entries if isinstance(entry, dict)), budget)

    def _read_entries(self) -> list[object]:
        text = self._read_bytes()
        if len(text) > _MAX_BYTES:
            raise self._hostile(f"is larger than {_MAX_BYTES} bytes")
        try:
            document = read_json(text)
        except DocumentError as cause:
            raise self._hostile(str(cause)) from cause
        entries = document.get("releases") if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise self._hostile("has no list named `releases`")
        return entries

    def _read_bytes(self) -> bytes:
        hint = "Correct `path` under `releases` in the plan, or put the file there."
        try:
            return read_beginning(self._path, _MAX_BYTES + 1)
        except FileNotFoundError as cause:
            what = f"There is no release file {self._path}."
            raise ReleaseError("releases.not_found", what, impact=UNTOUCHED, hint=hint) from cause
        except OSError as cause:
            what = f"The release file {self._path} cannot be read: {cause.strerror}."
            raise ReleaseError("releases.denied", what, impact=UNTOUCHED, hint=hint) from cause

    def _hostile(self, what: str) -> ReleaseError:
        return ReleaseError(
            "releases.hostile",
            f"The release file {self._path} {what}.",
            impact=UNTOUCHED,
            hint='It must hold {"releases": [{"version": "v1.2.3"}]}.',
        )


def read_releases(entries: Iterable[Mapping[str, object]], budget: Budget) -> tuple[Release, ...]:
    """Return the ``entries`` that are releases; of many long notes, the later ones are left out."""
    found = []
    for entry in entries:
        release = read_release(entry)
        if release is not None:
            keeps = budget.take_notes(len(release.notes))
            found.append(release if keeps else release.model_copy(update={"notes": ""}))
    return tuple(found)


def read_release(fields: Mapping[str, object]) -> Release | None:
    """Read a release from untrusted fields named as in `Release`, others ignored; None if it is not one.

    A date without a zone counts as UTC; an address that is not on the web is left out.
    """
    known = {name: fields[name] for name in Release.model_fields if fields.get(name) is not None}
    if not all(isinstance(known.get(flag, False), bool) for flag in ("prerelease", "draft")):
        return None
    try:
        release = Release.model_validate(known)
    except ValidationError:
        return None
    update = {
        "notes": cut_text(clean_text(release.notes), _NOTES_AT_MOST),
        "url": release.url if _is_web(release.url) else "",
        "published_at": _to_utc(release.published_at),
    }
    return release.model_copy(update=update)


def _to_utc(moment: datetime | None) -> datetime | None:
    if moment is None or moment.tzinfo is None:
        return moment.replace(tzinfo=UTC) if moment else None
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # of the first or the last day that there is
        return None


def _is_web(url: str) -> bool:
    try:
        return len(url) <= _ADDRESS_AT_MOST and urlsplit(url).scheme in ("https", "http")
    except ValueError:
        return False
