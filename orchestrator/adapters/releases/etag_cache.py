"""Pages that a server need not send again: it is asked whether they are still the ones that it sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.adapters.http.client import Answer
from orchestrator.core.model.releases import Release

_NOT_MODIFIED = 304
_MARK_AT_MOST = 256


@dataclass(frozen=True)
class Page:
    """What is kept of one page: its releases, how many entries it had, and where the next one is."""

    releases: tuple[Release, ...]
    entries: int
    next_url: str | None


class PageMemory:
    """The last page of each address, with the mark (``ETag``) by which the server knows it again.

    Not for two threads at once. It lives as long as the feed that owns it, and holds what one listing has read.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Page]] = {}
        self._seen: dict[str, tuple[str, Page]] = {}

    def condition(self, url: str) -> Mapping[str, str]:
        """The header by which the server may leave the page out; empty for an address that is new."""
        known = self._known.get(url)
        return {"If-None-Match": known[0]} if known else {}

    def read(self, url: str, answer: Answer, parse: Callable[[Answer], Page]) -> Page:
        """The page at ``url``: the remembered one where the server says that it is still the same.

        Raises:
            ReleaseError: as ``parse``.
        """
        known = self._known.get(url)
        if answer.status == _NOT_MODIFIED and known is not None:
            self._seen[url] = known
            return known[1]
        page = parse(answer)
        mark = answer.headers.get("ETag", "")
        if mark and len(mark) <= _MARK_AT_MOST and mark.isascii() and mark.isprintable():
            self._seen[url] = (mark, page)
        return page

    def forget_others(self) -> None:
        """Keep what was read since this was said the last time; called when a listing is complete."""
        self._known, self._seen = self._seen, {}
