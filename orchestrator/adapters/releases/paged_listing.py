"""Read the pages of one listing in turn; a page that has not changed is not sent again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.adapters.http.addresses import is_same_origin
from orchestrator.adapters.http.budget import Budget, SpentError
from orchestrator.adapters.http.client import Answer, Line
from orchestrator.adapters.http.errors import untrusted_response
from orchestrator.core.model.releases import Release

_NOT_MODIFIED = 304
_MARK_AT_MOST = 256

Ask = Callable[[str, Mapping[str, str]], Answer]


@dataclass(frozen=True)
class Page:
    """The cached part of one page: its releases, its number of entries, and the address of the next one."""

    releases: tuple[Release, ...]
    entries: int
    next_url: str | None


class PagedListing:
    """The pages of the listing at ``url``, ``pages_at_most`` of them, each with its ``ETag``.

    Not for two threads at once. It lives as long as the feed that owns it, and holds what one listing has read.
    """

    def __init__(self, url: str, pages_at_most: int) -> None:
        self._url = url
        self._pages_at_most = pages_at_most
        self._known: dict[str, tuple[str, Page]] = {}
        self._seen: dict[str, tuple[str, Page]] = {}

    def read(self, line: Line, ask: Ask, parse: Callable[[Answer, Budget], Page]) -> tuple[Release, ...]:
        """Read page after page. ``ask`` sends a request for a page, with the given headers.

        Raises:
            ReleaseError: as ``ask`` and ``parse``; ``releases.hostile`` where a page is on another host.
        """
        releases: list[Release] = []
        url: str | None = self._url
        for _ in range(self._pages_at_most):
            if url is None:
                break
            page = self._choose(url, ask(url, self._build_condition(url)), lambda new: parse(new, line.budget))
            try:
                line.budget.take_entries(page.entries)
            except SpentError as cause:
                raise untrusted_response(url, str(cause)) from cause
            releases += page.releases
            url = page.next_url
            if url is not None and not is_same_origin(self._url, url):
                raise untrusted_response(self._url, "says that its next page is on another host")
        self._known, self._seen = self._seen, {}
        return tuple(releases)

    def _build_condition(self, url: str) -> Mapping[str, str]:
        known = self._known.get(url)
        return {"If-None-Match": known[0]} if known else {}

    def _choose(self, url: str, answer: Answer, parse: Callable[[Answer], Page]) -> Page:
        known = self._known.get(url)
        if answer.status == _NOT_MODIFIED and known is not None:
            self._seen[url] = known
            return known[1]
        page = parse(answer)
        mark = answer.headers.get("ETag", "")
        if mark and len(mark) <= _MARK_AT_MOST and mark.isascii() and mark.isprintable():
            self._seen[url] = (mark, page)
        return page
