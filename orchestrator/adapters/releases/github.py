"""Read releases of a repository on GitHub or GitHub Enterprise."""

import re
from collections.abc import Mapping

from orchestrator.adapters.http.addresses import is_private_channel
from orchestrator.adapters.http.budget import DEFAULT_LIMITS, Budget, Limits
from orchestrator.adapters.http.client import Answer, Line, fetch, read_document
from orchestrator.adapters.http.errors import untrusted_response
from orchestrator.adapters.releases.file import read_releases
from orchestrator.adapters.releases.paged_listing import Page, PagedListing
from orchestrator.core.errors import PlanError
from orchestrator.core.model.releases import Release

_REPOSITORY = re.compile(r"^(?!\.)[A-Za-z0-9._-]+/(?!\.)[A-Za-z0-9._-]+$")
_MAX_PAGES = 5


class GitHubFeed:
    """The newest 500 releases of ``owner/name``. The token is sent to ``api_base`` only and shown nowhere.

    Pages that have not changed since the listing before are not sent again.

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
        self._listing = PagedListing(self._url, _MAX_PAGES)

    def list_releases(self) -> tuple[Release, ...]:
        """Read page after page, five at most. Entries that are no release are left out.

        Raises:
            ReleaseError: as `orchestrator.adapters.http.client.fetch_json`.
        """
        with Line(self._url, Budget(self._limits)) as line:
            return self._listing.read(
                line, lambda url, headers: fetch(line, url, {**self._headers, **headers}), _read_page
            )


def _read_page(answer: Answer, budget: Budget) -> Page:
    document = read_document(answer, budget.limits)
    if not isinstance(document.content, list):
        raise untrusted_response(answer.url, "sent something that is no list of releases")
    releases = read_releases((_rename(entry) for entry in document.content), budget)
    return Page(releases, len(document.content), document.next_url)


def _rename(entry: object) -> Mapping[str, object]:
    fields = entry if isinstance(entry, dict) else {}
    return {ours: fields.get(theirs) for ours, theirs in _FIELDS.items()}


_FIELDS = {
    "version": "tag_name",
    "notes": "body",
    "url": "html_url",
    "published_at": "published_at",
    "prerelease": "prerelease",
    "draft": "draft",
}
