"""Write tables for people and documents for programs into their place in `BENCHMARKS.md`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


class ReportError(Exception):
    """The report has no place for the result; the message names it."""


@dataclass(frozen=True)
class Table:
    """Headings, and rows of words; what is in the first column is left-aligned, everything else right."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def to_markdown(self) -> str:
        """Format it as GitHub shows it."""
        ruler = ("---", *("---:" for _ in self.headings[1:]))
        rows = ([cell.replace("|", "\\|") for cell in row] for row in (self.headings, ruler, *self.rows))
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@dataclass(frozen=True)
class Part:
    """Result of one part. ``said`` are lines before, between and after its tables; ``measured`` is JSON."""

    name: str
    said: Sequence[str | Table] = ()
    measured: object = field(default_factory=dict)

    def to_markdown(self, taken: str) -> str:
        """Format its section; ``taken`` is the line that says when and where."""
        pieces = [piece.to_markdown() if isinstance(piece, Table) else piece for piece in self.said]
        return "\n\n".join([taken, *pieces])


def put_into(path: Path, part: Part, taken: str) -> None:
    """Replace the part's section of a report, and leave every other as it is."""
    text = path.read_text(encoding="utf-8")
    path.write_text(replace_section(text, part.name, part.to_markdown(taken)), encoding="utf-8")


def replace_section(text: str, name: str, content: str) -> str:
    """Return the text with ``content`` between the two marks of a section; raise `ReportError` where they are
    missing.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise ReportError(f"the report has no section between {begin} and {end}")
    return f"{head}{begin}\n{content}\n{end}{tail}"


def keep(folder: Path, part: Part, machine: dict[str, object]) -> Path:
    """Write a part's figures as JSON, with the machine that they are of; the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{part.name}.json"
    document = {"schema": 1, "part": part.name, "machine": machine, "measured": part.measured}
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def show_s(seconds: float) -> str:
    """Seconds as the tables have them."""
    return f"{seconds:.2f}"


def show_ms(seconds: float) -> str:
    """Milliseconds as the tables have them."""
    return f"{seconds * 1000:.1f}"


def show_ratio(value: float, *, at_most: float | None = None, at_least: float | None = None) -> str:
    """Format a ratio, marked where it exceeds its bound."""
    kept = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
    return f"{value:.2f}" if kept else f"{value:.2f} ✗"
