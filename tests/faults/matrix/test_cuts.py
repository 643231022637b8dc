"""Kills, signals, power loss, a second process, edits, the clock and the source of releases, in every state."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.faults.matrix.cuts import FAULTS, Story
from tests.faults.matrix.promises import keep_promise
from tests.faults.matrix.scene import Scene, Span, Trace
from tests.faults.matrix.table import Cell, read_cells

pytestmark = pytest.mark.slow

Usual = Callable[[str], tuple[Trace, Span]]
CELLS = [cell for cell in read_cells() if cell.fault in FAULTS]


@pytest.fixture(scope="session")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Usual:
    """The run that comes through a state without any fault; made once a state."""

    @cache
    def run(state: str) -> tuple[Trace, Span]:
        scene = Scene(tmp_path_factory.mktemp("usual"), state)
        return scene.run(), scene.watch.span

    return run


@pytest.mark.parametrize("cell", CELLS, ids=[f"{cell.state}-{cell.fault}" for cell in CELLS])
def test_a_cell_keeps_what_the_table_promises(cell: Cell, usual: Usual, tmp_path: Path) -> None:
    ends = list(FAULTS[cell.fault](Story(cell.state, tmp_path, *usual(cell.state))))
    assert ends
    for end in ends:
        keep_promise(cell.promise, end)
