"""Half of the fault matrix: what goes wrong around a run, in each of its states, ends as `docs/faults.md` says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from orchestrator.errors import JournalError
from orchestrator.model import Verdict
from orchestrator.plan.standard import build_standard_states
from orchestrator.resume import Mode
from orchestrator.takeover import Takeover
from tests.fakes.bench import serving_version
from tests.unit.matrix.outages import FAULTS, OUTAGES
from tests.unit.matrix.scene import Scene, Trace, Trouble
from tests.unit.matrix.table import Cell, read_cells
from tests.unit.matrix.variants import Length, Variant

OLD = "v1.0.0"
INERT = "o"


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


class End(NamedTuple):
    """How a run may end: ``serves`` is the version that users reach, None where that may be none."""

    verdict: Verdict
    exit_code: int
    serves: str | None


#: The codes of the table; where two are given with a stroke, either is right.
ENDS: dict[str, tuple[End, ...]] = {
    "A": (End(Verdict.REFUSED, 10, OLD),),
    "U": (End(Verdict.ROLLED_BACK, 20, OLD),),
    "R": (End(Verdict.ROLLED_BACK, 20, OLD),),
    "C": (End(Verdict.ROLLED_BACK, 20, OLD),),
    "F": (End(Verdict.COMMITTED, 0, "v1.1.0"), End(Verdict.NEEDS_OPERATOR, 30, None)),
    "N": (End(Verdict.NEEDS_OPERATOR, 30, None),),
}
#: Codes whose run ends as it does without the fault.
AS_WITHOUT = frozenset({"P", "W"})
#: What is over within the deadline of the state costs nothing.
TRIED_AGAIN = frozenset({"T", "F"})
#: Where a fault is still there after its state, so that the way back cannot be gone either.
STILL_THERE = {"U": "N", "R": "N"}


#: Of these, one is in what an operator is told.
WORDS = {
    "DKR": ("engine", "is not running", "does not run", "restarted"),
    "R4": ("registry", "Pulling"),
    "R5": ("registry", "Pulling"),
    "RB": ("registry", "Pulling"),
    "NSB": ("is full", "room for"),
    "NSD": ("no space", "room", "not healthy", "unhealthy", "exit code 1"),
    "PGD": ("database", "PostgreSQL", "unhealthy", "exit code 1"),
    "PGB": ("connection", "connected", "locked", "unhealthy", "transaction", "migrate was not done"),
    "MIG": ("exit code", "migrat", "unhealthy", "not running", "exited", "was not done within"),
    "UNH": ("healthy", "restart", "is running", "status 503"),
    "FLP": ("healthy", "well, but not for", "status 503"),
    "BKP": ("backup",),
    "PRM": ("permission denied", "Permission denied", "cannot be replaced", "cut off at the beginning"),
    "NAM": ("already", "is not here", "not on this host", "Others may write"),
}


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


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.state}-{cell.fault}")
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


def choose_lengths(cell: Cell, variant: Variant) -> tuple[Length, ...]:
    """A fault that is tried again is met in a form that is over in time, too; an inert one ends with its state."""
    codes = cell.promise.split("/")
    if cell.promise == INERT:
        return (Length.LASTING,)
    if variant.of_release and cell.state == "start":
        return (Length.FOR_GOOD,)
    if len(variant.lengths) == 1:
        return tuple(variant.lengths)
    sensible = {Length.LASTING, *([Length.BRIEF] if set(codes) & TRIED_AGAIN else [])}
    sensible |= {Length.FOR_GOOD} if set(codes) & set(STILL_THERE) else set()
    return tuple(length for length in Length if length in sensible & variant.lengths)


def run_to_the_end(scene: Scene, trouble: Trouble) -> Trace:
    """Where not even the journal could be written, the run has no end yet: it gets it when that is mended."""
    try:
        return scene.run()
    except JournalError:
        assert not scene.world.serving() or serving_version(scene.world) == OLD
        trouble.end(scene)
    service = scene.bench.service
    report = Takeover(service.plan, service.kinds, service.world).take_up(
        Mode.RECOVER, announce=lambda *_: None, listener=scene.bench.recorder
    )
    assert report is not None
    assert report.run.verdict is not None
    assert report.run.exit_code is not None
    scene.report = report
    path = tuple(scene.bench.recorder.path)
    return Trace(path, tuple(scene.world.calls), report.run.verdict, report.run.exit_code, serving_version(scene.world))


def judge(cell: Cell, variant: Variant, length: Length, scene: Scene, trace: Trace, without: Trace) -> str:
    """What is wrong with the end of a run; empty where all is as the table says."""
    problem = find_broken_promise(scene, trace)
    if problem:
        return problem
    if cell.promise == INERT:
        return "" if trace == without else f"{tell(trace)} instead of the same trace"
    end = End(trace.verdict, trace.exit_code, trace.serving if trace.verdict is not Verdict.NEEDS_OPERATOR else None)
    usual = End(without.verdict, without.exit_code, without.serving)
    allowed = find_allowed(cell, variant, length, usual)
    if end not in allowed:
        return f"{tell(trace)} {scene.report.run.reason!r}"
    return "" if end == usual or is_told(cell, scene) else f"{tell(trace)}, and not why"


def find_allowed(cell: Cell, variant: Variant, length: Length, usual: End) -> tuple[End, ...]:
    """The ends that the code of a cell allows for a variant of its fault."""
    codes = cell.promise.split("/")
    bites = variant.bites is None or cell.state in variant.bites
    stays = length is Length.FOR_GOOD and len(variant.lengths) > 1
    if not variant.either and not stays and (not bites or (length is Length.BRIEF and set(codes) & TRIED_AGAIN)):
        return (usual,)
    told = [code for code in codes if code != "T"]
    told += [STILL_THERE[code] for code in told if stays and code in STILL_THERE]
    ends = [end for code in told for end in ((usual,) if code in AS_WITHOUT else ENDS[code])]
    return (*ends, usual) if variant.either or not bites else tuple(ends)


def find_broken_promise(scene: Scene, trace: Trace) -> str:
    """What no fault may lead to."""
    world = scene.world
    if world.lost():
        return f"lost {world.lost()}"
    if trace.verdict is Verdict.NEEDS_OPERATOR:
        return "" if scene.report.next_steps else "nobody is told what to do"
    if world.databases[world.live].fenced:
        return f"{tell(trace)} with a closed database"
    if trace.verdict is Verdict.REFUSED and (world.pin != OLD or len(world.databases) > 1):
        return f"{tell(trace)}, but something was changed"
    left = [job.name for job in world.jobs.values() if job.running] + list(world.stages)
    return f"{tell(trace)} and {left} is left" if left else ""


def is_told(cell: Cell, scene: Scene) -> bool:
    """Whether a state says what went wrong, in a word that belongs to the fault."""
    said = " ".join(line.reason for line in scene.report.states)
    return any(word in said for word in WORDS[cell.fault])


def tell(trace: Trace) -> str:
    """An end in words."""
    return f"{trace.verdict.value} ({trace.exit_code}), {trace.serving} serves, {trace.path[-3:]}"
