"""Releases of a repository on GitHub or GitHub Enterprise."""

from __future__ import annotations

import re

from orchestrator.adapters.addresses import is_private_channel, is_same_origin
from orchestrator.adapters.http import (
    DEFAULT_LIMITS,
    Limits,
    fetch,
    hostile,
    new_session,
)
from orchestrator.adapters.page_memory import PageMemory
from orchestrator.adapters.release_file import read_release
from orchestrator.errors import PlanError
from orchestrator.model import Release

_REPOSITORY = re.compile(r"^(?!\.)[A-Za-z0-9._-]+/(?!\.)[A-Za-z0-9._-]+$")
_MAX_PAGES = 5


class GitHubFeed:
    """The newest 500 releases of ``owner/name``. The token is sent to ``api_base`` only and shown nowhere.

    What GitHub says has not changed since the listing before is not sent again.

    Raises:
        PlanError: ``plan.repository``; ``plan.insecure_source`` (the token would travel in clear text).
    """

    def __init__(
        self,
        repository: str,
        api_base: str = "https://api.github.com",
        token: str | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if not _REPOSITORY.match(repository):
            raise PlanError(
                "plan.repository",
                f"{repository!r} is no GitHub repository.",
                hint="Write it as `owner/name`.",
            )
        if token and not is_private_channel(api_base):
            raise PlanError(
                "plan.insecure_source",
                "The token for the releases would be sent unencrypted.",
                hint="Use an https address.",
            )
        self._url = f"{api_base.rstrip('/')}/repos/{repository}/releases?per_page=100"
        self._headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._limits = limits
        self._memory = PageMemory()

    def list_releases(self) -> tuple[Release, ...]:
        """Read page after page, five at most. Entries that are no release are left out.

        Raises:
            ReleaseError: as `orchestrator.adapters.http.fetch_json`.
        """
        releases: list[Release] = []
        url: str | None = self._url
        with new_session(self._url, retries=self._limits.retries) as session:
            for _ in range(_MAX_PAGES):
                if url is None:
                    break
                headers = {**self._headers, **self._memory.condition(url)}
                page = self._memory.read(url, fetch(session, url, headers, limits=self._limits), limits=self._limits)
                releases += _read_page(url, page.content)
                url = self._require_ours(page.next_url)
        self._memory.forget_others()
        return tuple(releases)

    def _require_ours(self, next_url: str | None) -> str | None:
        if next_url is not None and not is_same_origin(self._url, next_url):
            raise hostile(self._url, "says that its next page is on another host")
        return next_url


def _read_page(url: str, content: object) -> list[Release]:
    if not isinstance(content, list):
        raise hostile(url, "sent something that is no list of releases")
    found = (_read_entry(entry) for entry in content)
    return [release for release in found if release is not None]


def _read_entry(entry: object) -> Release | None:
    if not isinstance(entry, dict):
        return None
    return read_release(
        {
            "version": entry.get("tag_name"),
            "notes": entry.get("body"),
            "url": entry.get("html_url"),
            "published_at": entry.get("published_at"),
            "prerelease": entry.get("prerelease"),
            "draft": entry.get("draft"),
        }
    )
