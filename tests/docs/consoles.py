"""The commands that the pages show: ``$ command`` in a console block, and behind a # which exit code it has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
FILES = (CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *sorted((CHECKOUT / "docs").glob("*.md")))

_BLOCK = re.compile(r"^```console\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT_CODE = re.compile(r"#.*exit code (?P<code>\d+)\b")


@dataclass(frozen=True)
class Shown:
    """One command of a page."""

    page: str
    line: str

    @property
    def words(self) -> list[str]:
        """As a shell would split it."""
        return shlex.split(self.line, comments=True)

    @property
    def exit_code(self) -> int | None:
        """The one that the page promises, if it does."""
        promised = _EXIT_CODE.search(self.line)
        return int(promised["code"]) if promised else None

    def __str__(self) -> str:
        return f"{self.page}: {self.line}"


def find_commands(path: Path) -> Iterator[Shown]:
    """All commands of a page, in its order."""
    for block in _BLOCK.finditer(path.read_text(encoding="utf-8")):
        for line in block["text"].splitlines():
            if line.startswith("$ "):
                yield Shown(path.name, line.removeprefix("$ "))


ALL = tuple(shown for path in FILES for shown in find_commands(path))
