"""Releases as GitHub announces them."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from orchestrator.adapters.http import fetch_json, make_session
from orchestrator.errors import ReleaseError
from orchestrator.model import Release

_PAGES_AT_MOST = 5


class GitHubFeed:
    """Implements `orchestrator.ports.ReleaseFeed`; ``repository`` is ``owner/name``, ``api_base`` without a slash.

    The token travels in a header only and is no part of any error or representation.
    """

    def __init__(self, repository: str, *, api_base: str, token: str | None = None) -> None:
        self._repository = repository
        self._api_base = api_base.rstrip("/")
        self._token = token

    def list_releases(self) -> tuple[Release, ...]:
        """The newest 500 at most; entries of another shape than a release are left out."""
        url: str | None = f"{self._api_base}/repos/{self._repository}/releases?per_page=100"
        found: list[Release] = []
        with make_session() as session:
            for _ in range(_PAGES_AT_MOST):
                if url is None:
                    break
                answer = fetch_json(session, url, self._headers(), what=f"GitHub repository {self._repository}")
                found += self._read(answer.document)
                url = answer.next_url
        return tuple(found)

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/vnd.github+json", "User-Agent": "upgrade-orchestrator"}
        return {**headers, "Authorization": f"Bearer {self._token}"} if self._token else headers

    def _read(self, document: Any) -> list[Release]:
        if not isinstance(document, list):
            raise ReleaseError(
                "releases.hostile",
                f"GitHub repository {self._repository} does not answer with a list of releases.",
                meaning="Nothing was touched.",
            )
        return [release for entry in document if (release := _release(entry)) is not None]


def _release(entry: Any) -> Release | None:
    if not isinstance(entry, dict):
        return None
    try:
        return Release(
            version=entry.get("tag_name"),
            notes=entry.get("body") or "",
            url=entry.get("html_url") or "",
            published_at=entry.get("published_at"),
            prerelease=bool(entry.get("prerelease")),
            draft=bool(entry.get("draft")),
        )
    except ValidationError:
        return None
