"""Redact the notes of releases."""

from dataclasses import dataclass

from orchestrator.core.model.releases import Release
from orchestrator.core.ports.releases import ReleaseFeed
from orchestrator.redaction.redactor import Redactor
from orchestrator.redaction.terminal_text import cut_text

NOTES_AT_MOST = 64 * 1024


@dataclass(frozen=True)
class RedactedFeed:
    """Redacts another feed; notes go to a terminal, a page and the journal, none of which may show a secret."""

    feed: ReleaseFeed
    mask: Redactor

    def list_releases(self) -> tuple[Release, ...]:
        """Return the redacted releases of the other feed. Raises its errors."""
        found = self.feed.list_releases()
        return tuple(one.model_copy(update={"notes": self._mask(one.notes)}) if one.notes else one for one in found)

    # Cut where secrets are known: half of one would be left otherwise.
    def _mask(self, notes: str) -> str:
        return cut_text(self.mask.text(notes), NOTES_AT_MOST)
