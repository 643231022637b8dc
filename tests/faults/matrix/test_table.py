"""The table is whole: every fault has a cell in every state."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from states.registry import KINDS
from tests.faults.matrix.cuts import FAULTS as CUTS
from tests.faults.matrix.outages import FAULTS as OUTAGES
from tests.faults.matrix.scene import Scene
from tests.faults.matrix.table import read_cells

STATES = 13
FAULTS = 26


def test_every_fault_has_a_cell_in_every_state() -> None:
    cells = read_cells()
    assert len({(cell.state, cell.fault) for cell in cells}) == len(cells) == STATES * FAULTS
    assert set(Counter(cell.state for cell in cells).values()) == {FAULTS}


def test_every_fault_of_the_table_is_injected_by_one_half_of_the_matrix() -> None:
    assert not set(CUTS) & set(OUTAGES)
    assert {cell.fault for cell in read_cells()} == set(CUTS) | set(OUTAGES)


def test_every_state_of_the_table_is_a_kind() -> None:
    assert {cell.state for cell in read_cells()} <= set(KINDS)


def test_the_run_of_a_scene_comes_through_its_state(tmp_path: Path) -> None:
    for state in dict.fromkeys(cell.state for cell in read_cells()):
        path = [name for name, _ in Scene(tmp_path / state, state).run().path]
        assert state in path, path
