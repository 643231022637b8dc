"""Half of the fault matrix: what goes wrong around a run, in each of its states, ends as `docs/faults.md` says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from orchestrator.plan.standard import build_standard_states
from tests.faults.matrix.outage_ends import INERT, choose_lengths, judge, run_to_the_end
from tests.faults.matrix.outages import FAULTS, OUTAGES
from tests.faults.matrix.scene import Scene, Trace, Trouble
from tests.faults.matrix.table import Cell, read_cells
from tests.faults.matrix.variants import Length, Variant

pytestmark = pytest.mark.slow

MIDWAY = ("DKR", "PGD")


def name_cell(cell: Cell) -> str:
    """As in ``migrate-NSD``."""
    return f"{cell.state}-{cell.fault}"


class Story(NamedTuple):
    """Where the fault of a cell is met: the state of the scene, and its machine where that is not the standard one."""

    state: str
    machine: str | None = None


def write_machine_that_downloads_late() -> str:
    """As `plans/plain.yaml`: the image is downloaded by `pull`, with the app down."""
    states = {name: state for name, state in build_standard_states().items() if name not in ("prefetch", "rehearse")}
    text = json.dumps(states).replace('"accepted": "prefetch"', '"accepted": "backup"')
    text = text.replace('"done": "rehearse"', '"done": "stop"').replace('"network": false', '"network": true')
    return f"initial: check\nstates: {text}\n"


REGISTRY = ("R4", "R5", "RB")
STORIES = {
    **{("preflight", fault): Story("prefetch") for fault in REGISTRY},
    **{("pull", fault): Story("pull", write_machine_that_downloads_late()) for fault in REGISTRY},
}
CELLS = tuple(cell for cell in read_cells() if cell.fault in FAULTS)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Story], Trace]:
    """The trace of a story that nothing goes wrong in."""

    @cache
    def run(story: Story) -> Trace:
        return Scene(tmp_path_factory.mktemp("reference"), story.state, machine=story.machine).run()

    return run


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    """A new one for each scene."""
    return (tmp_path / str(number) for number in count())


@pytest.mark.parametrize("cell", CELLS, ids=name_cell)
def test_a_fault_in_a_state_ends_as_the_table_says(
    cell: Cell, folders: Iterator[Path], reference: Callable[[Story], Trace]
) -> None:
    story = find_story(cell)
    without = reference(story)
    wrong: list[str] = []
    for variant in OUTAGES[cell.fault]:
        for length in choose_lengths(cell, variant):
            with variant.meeting(length) as trouble:
                scene = Scene(next(folders), story.state, trouble, length is Length.FOR_GOOD, story.machine)
                trace = run_to_the_end(scene, trouble)
                problem = judge(cell, variant, length, scene, trace, without)
            wrong += [f"{trouble.name}: {problem}"] if problem else []
    assert wrong == [], f"{cell.promise}\n" + "\n".join(wrong)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_way_of_a_fault_makes_a_difference_somewhere(
    fault: str, folders: Iterator[Path], reference: Callable[[Story], Trace]
) -> None:
    stories = [find_story(cell) for cell in CELLS if cell.fault == fault and cell.promise != INERT]
    toothless = [
        variant.name
        for variant in OUTAGES[fault]
        if not variant.silent and all(run_with(variant, story, next(folders)) == reference(story) for story in stories)
    ]
    assert toothless == []


def test_with_the_image_prefetched_no_registry_is_needed_to_pull(
    folders: Iterator[Path], reference: Callable[[Story], Trace]
) -> None:
    for variant in (variant for fault in REGISTRY for variant in OUTAGES[fault]):
        assert run_with(variant, Story("pull"), next(folders)) == reference(Story("pull"))


def find_story(cell: Cell) -> Story:
    """Where a cell is played."""
    return STORIES.get((cell.state, cell.fault), Story(cell.state))


def run_with(variant: Variant, story: Story, folder: Path) -> Trace:
    """The trace of a run whose state meets the fault from its beginning to its end."""
    with variant.meeting(Length.LASTING) as trouble:
        return run_to_the_end(Scene(folder, story.state, trouble, machine=story.machine), trouble)


@pytest.mark.parametrize("length", [Length.BRIEF, Length.LASTING])
@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.fault in MIDWAY], ids=name_cell)
def test_an_outage_behind_any_effect_of_a_state_ends_as_the_table_says(
    cell: Cell, length: Length, folders: Iterator[Path], reference: Callable[[Story], Trace]
) -> None:
    story, variant = find_story(cell), OUTAGES[cell.fault][0]
    wrong: list[str] = []
    for number in range(count_effects(story.state, next(folders))):
        with variant.meeting_after(number, length) as trouble:
            scene = Scene(next(folders), story.state, trouble)
            trace = run_to_the_end(scene, trouble)
            problem = judge(cell, replace(variant, either=True), length, scene, trace, reference(story))
        wrong += [f"{trouble.name}: {problem}"] if problem else []
    assert wrong == [], f"{cell.promise}\n" + "\n".join(wrong)


def count_effects(state: str, folder: Path) -> int:
    """How many effects a state has in a run that nothing goes wrong in."""
    seen: list[int] = []
    trouble = Trouble("none", *2 * (lambda scene: seen.append(len(scene.world.calls)),))
    Scene(folder, state, trouble).run()
    return seen[1] - seen[0]
