"""Pages that a server need not send again: it is asked whether they are still the ones that it sent."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.adapters.http import Answer, Document, Limits, read_document

_NOT_MODIFIED = 304


class PageMemory:
    """The last document of each address, with the mark (``ETag``) by which the server knows it again.

    Not for two threads at once. It lives as long as the feed that owns it, and holds what one listing has read.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Document]] = {}
        self._seen: dict[str, tuple[str, Document]] = {}

    def condition(self, url: str) -> Mapping[str, str]:
        """The header by which the server may leave the page out; empty for an address that is new."""
        known = self._known.get(url)
        return {"If-None-Match": known[0]} if known else {}

    def read(self, url: str, answer: Answer, *, limits: Limits) -> Document:
        """The document at ``url``: the remembered one where the server says that it is still the same.

        Raises:
            ReleaseError: as `orchestrator.adapters.http.fetch_json`.
        """
        known = self._known.get(url)
        if answer.status == _NOT_MODIFIED and known is not None:
            self._seen[url] = known
            return known[1]
        document = read_document(answer, limits=limits)
        mark = answer.headers.get("ETag", "")
        if mark.isascii() and mark.isprintable() and mark:
            self._seen[url] = (mark, document)
        return document

    def forget_others(self) -> None:
        """Keep what was read since this was said the last time; called when a listing is complete."""
        self._known, self._seen = self._seen, {}
