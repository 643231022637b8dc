"""The table of `docs/faults.md`: what the documentation promises is what the tests run."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[3] / "docs/faults.md"
_FIRST_HEADING = "| state \\ fault |"


class Cell(NamedTuple):
    """One fault in one state; ``promise`` is the code as it stands in the table (``T/A``)."""

    state: str
    fault: str
    promise: str


@cache
def read_cells() -> tuple[Cell, ...]:
    """All cells, by state and then by fault."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(_FIRST_HEADING))
    faults = _split(lines[start])[1:]
    cells: list[Cell] = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        state, *promises = _split(line)
        cells.extend(Cell(state.strip("*"), fault, promise) for fault, promise in zip(faults, promises, strict=True))
    return tuple(cells)


def _split(line: str) -> list[str]:
    return [part.strip() for part in line.strip().strip("|").split("|")]
