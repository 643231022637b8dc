"""Write a file that lists releases, as a release feed reads it."""

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .images import RELEASES


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One release in the feed; `version` has a leading v, `published_at` is UTC and ends in Z."""

    version: str
    notes: str = ""
    url: str = ""
    published_at: str = "2025-01-30T14:30:00Z"
    prerelease: bool = False
    draft: bool = False


class ReleaseFeed:
    """The file; replaced as a whole, so that a reader sees the list before or after."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, entries: Sequence[FeedEntry]) -> None:
        """Replace the list."""
        releases = [asdict(entry) for entry in entries]
        document = json.dumps({"releases": releases}, indent=2, ensure_ascii=False)
        descriptor, unfinished = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(document + "\n")
        Path(unfinished).chmod(0o644)
        Path(unfinished).replace(self.path)

    def announce(self, *versions: str) -> None:
        """Replace the list by these releases of the ledger, newest first, with their notes."""
        newest_first = sorted(versions, key=_numbers, reverse=True)
        self.write([ledger_entry(version) for version in newest_first])


def ledger_entry(version: str) -> FeedEntry:
    """Feed entry of a release of the ledger (without v); each is published a day after the one before."""
    day = sorted((folder.name for folder in RELEASES.iterdir()), key=_numbers).index(version) + 1
    return FeedEntry(
        version=f"v{version}",
        notes=(RELEASES / version / "NOTES.md").read_text(encoding="utf-8"),
        url=f"https://github.com/yourorg/ledger/releases/tag/v{version}",
        published_at=f"2025-02-{day:02}T09:00:00Z",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
