"""How a run may end that met a fault: once for each code of the table, never for a cell."""

from __future__ import annotations

from typing import NamedTuple

from orchestrator.core.errors import JournalError
from orchestrator.core.model.verdict import Verdict
from orchestrator.machine.resume import Mode
from orchestrator.run.recovery import Takeover
from tests.faults.matrix.scene import Scene, Trace, Trouble
from tests.faults.matrix.table import Cell
from tests.faults.matrix.variants import Length, Variant
from tests.tools.bench import serving_version
from tests.tools.runbook_shapes import tell_unproven

OLD = "v1.0.0"
INERT = "o"


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
PINS_AND_SCHEMAS = {
    Verdict.COMMITTED: ("v1.1.0", 2),
    Verdict.ROLLED_BACK: (OLD, 1),
    Verdict.REFUSED: (OLD, 1),
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
    """Where not even the journal could be written, the run has no end yet: it gets it when that is repaired."""
    try:
        return scene.run()
    except JournalError:
        assert not scene.world.serving() or serving_version(scene.world) == OLD
        trouble.end(scene)
    service = scene.bench.service
    report = Takeover(service.plan, service.kinds, service.ports).take_up(
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
    if cell.promise == INERT and not variant.either:
        return "" if trace == without else f"{tell(trace)} instead of the same trace"
    end = End(trace.verdict, trace.exit_code, trace.serving if trace.verdict is not Verdict.NEEDS_OPERATOR else None)
    usual = End(without.verdict, without.exit_code, without.serving)
    allowed = find_allowed(cell, variant, length, usual)
    untouched = "U" in cell.promise and length is not Length.FOR_GOOD and not variant.either
    if untouched and end in ENDS["U"] and scene.report.quarantine:
        return f"{tell(trace)}, and the data were touched"
    if end not in allowed:
        return f"{tell(trace)} {scene.report.run.reason!r}"
    return "" if end == usual or is_told(cell, scene) else f"{tell(trace)}, and not why"


def find_allowed(cell: Cell, variant: Variant, length: Length, usual: End) -> tuple[End, ...]:
    """The ends that the code of a cell allows for a variant of its fault."""
    codes = cell.promise.split("/")
    if cell.promise == INERT:
        return (usual,)
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
        return tell_unproven(scene.report.next_steps) if scene.report.next_steps else "nobody is told what to do"
    if world.databases[world.live].fenced:
        return f"{tell(trace)} with a closed database"
    pin, schema = PINS_AND_SCHEMAS[trace.verdict]
    if world.pin.partition("@")[0] != pin or world.databases[world.live].schema != schema:
        return f"{tell(trace)} with {world.pin} on schema {world.databases[world.live].schema}"
    if trace.verdict is Verdict.REFUSED and (world.pin != OLD or len(world.databases) > 1):
        return f"{tell(trace)}, but something was changed"
    told = "the next one removes it" in scene.report.run.reason
    left = [job.name for job in world.jobs.values() if job.running] + ([] if told else list(world.stages))
    return f"{tell(trace)} and {left} is left" if left else ""


def is_told(cell: Cell, scene: Scene) -> bool:
    """Whether a state says what went wrong, in a word that belongs to the fault."""
    said = " ".join(line.reason for line in scene.report.states)
    return any(word in said for word in WORDS[cell.fault])


def tell(trace: Trace) -> str:
    """An end in words."""
    return f"{trace.verdict.value} ({trace.exit_code}), {trace.serving} serves, {trace.path[-3:]}"
