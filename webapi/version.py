"""Turn a finding into the document of ``GET /api/version``. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from urllib.parse import urlsplit

from orchestrator.core.model.releases import Release
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.releases.choosing import choose_release, newest_release
from orchestrator.releases.version_order import is_comparable
from webapi.cache import Finding
from webapi.notes import render_notes

DEVELOPMENT = "dev"
_SHOWN = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}")
_NOTES_MAX = 64 * 1024
_NOTES_CUT = "\n\n…"

#: Meaning of each problem, for readers of the answer; the keys are the last part of the errors' codes.
PROBLEMS = {
    "unreachable": "The release source did not answer.",
    "slow": "The release source has not answered yet.",
    "rate_limited": "The release source wants a pause before it answers again.",
    "denied": "The release source refuses access.",
    "not_found": "The release source does not know this app.",
    "hostile": "The release source sent something that cannot be used.",
    "internal": "The release source could not be asked.",
}


@dataclass(frozen=True)
class View:
    """One answer, ready to be sent any number of times. ``found`` is False where there never was data."""

    found: bool
    latest: str | None
    notes: str
    body: bytes = field(repr=False)

    @cached_property
    def etag(self) -> str:
        """The answer's ETag, quoted as in HTTP."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'

    @cached_property
    def notes_body(self) -> bytes:
        """The notes as sanitized HTML, in the document of ``GET /api/version/notes``."""
        return _encode({"version": self.latest, "html": render_notes(self.notes)})


def read_current(text: str | None) -> str:
    """Return the version that an app reports, without ``v``; ``dev`` where it reports none that could be shown."""
    bare = (text or "").strip().removeprefix("v")
    return bare if _SHOWN.fullmatch(bare) else DEVELOPMENT


def build_view(current: str, finding: Finding) -> View:
    """Build the document for an app that is ``current``, a version without ``v``."""
    if finding.releases is None or finding.checked_at is None:
        return _build_absence(current, finding)
    newest = newest_release(finding.releases)
    latest = newest.version.removeprefix("v") if newest else None
    notes = _clean(newest.notes) if newest else ""
    document: dict[str, object] = {
        "current": current,
        "latest": latest,
        "updateAvailable": _is_update(current, finding.releases),
        "releaseUrl": newest.url if newest and _is_secure(newest.url) else None,
        "releaseNotes": notes,
        "lastChecked": format_moment(finding.checked_at),
    }
    if finding.problem:
        document |= {"stale": True, "reason": _name_problem(finding)}
    return View(True, latest, notes, _encode(document))


def format_moment(moment: datetime) -> str:
    """Format in ISO 8601, in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _build_absence(current: str, finding: Finding) -> View:
    reason = _name_problem(finding)
    return View(False, None, "", _encode({"current": current, "reason": reason, "message": PROBLEMS[reason]}))


# A source of somebody's own may have words of its own.
def _name_problem(finding: Finding) -> str:
    return finding.problem if finding.problem in PROBLEMS else "internal"


def _is_update(current: str, releases: tuple[Release, ...]) -> bool:
    return is_comparable(current) and choose_release(current, releases, ReleaseRequest()) is not None


def _is_secure(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)


# JSON can spell half a character, which no other text can.
def _clean(notes: str) -> str:
    short = notes if len(notes) <= _NOTES_MAX else notes[:_NOTES_MAX] + _NOTES_CUT
    return short.encode("utf-8", "replace").decode("utf-8")


def _encode(document: dict[str, object]) -> bytes:
    return (json.dumps(document, separators=(",", ":")) + "\n").encode("ascii")
