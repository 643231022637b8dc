"""Faults that cut a run off, reach for it from outside, or change what it reads: each as the ends that it leads to."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from orchestrator.core.errors import BusyError, CheckpointError
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.machine.resume import Mode
from orchestrator.plan.schema import Plan
from orchestrator.run.listener import Listener
from orchestrator.run.service import Service
from states.registry import KINDS
from tests.faults.failpoints.wrapping import journal_watched
from tests.faults.matrix.disk import LOSSES, Disk
from tests.faults.matrix.edits import EDITED, EDITS, read_confirmed
from tests.faults.matrix.moments import Moment, find_all, find_before, find_behind, find_within
from tests.faults.matrix.promises import End
from tests.faults.matrix.scene import RUN_ID, Scene, Span, Trace, Trouble
from tests.faults.matrix.source import HOSTILE, POISON, SILENT, write_hostile_notes
from tests.tools.build import make_ports

_TYPING_S = 1.0  # until the next command; what was left at work is still at work then


@dataclass(frozen=True)
class Story:
    """A state, its run without a fault, and a folder for its runs with one."""

    state: str
    folder: Path
    usual: Trace
    span: Span

    def scene(self, name: str, trouble: Trouble | None = None) -> Scene:
        """A new run of the story, not begun yet."""
        return Scene(self.folder / re.sub(r"\W+", "-", name), self.state, trouble)

    def meet(self, trouble: Trouble) -> End:
        """The run with the trouble from the entry of the state to its exit."""
        scene = self.scene(trouble.name, trouble)
        report = scene.bench.run(scene.version, force=False)
        return End(trouble.name, scene, report, self.usual)


Fault = Callable[[Story], Iterator[End]]


def kill_before(story: Story) -> Iterator[End]:
    """K0: SIGKILL before the first effect of the state."""
    for moment in find_before(story.span):
        yield from _kill(story, moment)


def kill_within(story: Story) -> Iterator[End]:
    """K1: SIGKILL in the middle of it."""
    for moment in find_within(story.state, story.span):
        yield from _kill(story, moment)


def kill_behind(story: Story) -> Iterator[End]:
    """K2: SIGKILL after its last effect, before the journal has its outcome."""
    for moment in find_behind(story.state, story.span):
        yield from _kill(story, moment)


def reboot(story: Story) -> Iterator[End]:
    """BOO: the host reboots in the middle, and restart policies act."""
    for moment in find_within(story.state, story.span):
        for mode in Mode:
            scene = story.scene(f"{moment.name} {mode}")
            with moment.plan(scene, scene.world.script.kill):
                scene.run_until_killed()
            come_up_again(scene)
            yield End(moment.name, scene, scene.take_up(mode), story.usual, mode)


def come_up_again(scene: Scene) -> None:
    """The host is up again, with what has a restart policy, and users are back."""
    scene.world.reboot()
    scene.world.clock.advance(5)
    scene.world.users_write(2)


def _kill(story: Story, moment: Moment) -> Iterator[End]:
    for mode in Mode:
        scene = story.scene(f"{moment.name} {mode}")
        with moment.plan(scene, scene.world.script.kill):
            scene.run_until_killed()
        scene.world.clock.advance(_TYPING_S)
        yield End(moment.name, scene, scene.take_up(mode), story.usual, mode)


def interrupt(story: Story) -> Iterator[End]:
    """INT: SIGINT as Ctrl-C sends it."""
    yield from _signal(story, signal.SIGINT)


def terminate(story: Story) -> Iterator[End]:
    """TERM: SIGTERM as a shutdown sends it; a run that leaves is ended by `recover`."""
    yield from _signal(story, signal.SIGTERM)


def _signal(story: Story, number: signal.Signals) -> Iterator[End]:
    for moment in find_all(story.state, story.span):
        scene = story.scene(moment.name)
        ask = partial(scene.bench.service.interruption.request, number)
        with moment.plan(scene, ask):
            try:
                report = scene.bench.run(scene.version, force=False)
            except CheckpointError:
                yield End(moment.name, scene, scene.take_up(Mode.RECOVER), story.usual, Mode.RECOVER)
            else:
                assert report.run.verdict is not Verdict.REFUSED or report.run.exit_code == 128 + number
                yield End(moment.name, scene, report, story.usual)


def lose_power(story: Story) -> Iterator[End]:
    """PWR: the power goes as the outcome is written; the newest bytes of the journal are gone with it."""
    for name, (behind, lose) in LOSSES.items():
        for mode in Mode:
            scene = story.scene(f"{name} {mode}")
            disk = Disk(scene=scene, behind=behind)
            with journal_watched(disk):
                scene.run_until_killed()
            lose(disk)
            come_up_again(scene)
            yield End(name, scene, scene.take_up(mode), story.usual, mode)


def start_second(story: Story) -> Iterator[End]:
    """TWO: another process starts meanwhile. It may look; whatever else it wants, it ends at once."""
    yield story.meet(Trouble("second process", _intrude))


def _intrude(scene: Scene) -> None:
    before = len(scene.world.calls)
    other, silent = Service(scene.bench.plan, KINDS, make_ports(scene.world)), Listener()
    if scene.state == "check":  # later the app may be down
        assert other.check(ReleaseRequest()).current.version == "v1.0.0"
    commands: tuple[Callable[[], object], ...] = (
        partial(other.run, ReleaseRequest(), assume_yes=True, listener=silent),
        partial(other.roll_back, assume_yes=True, listener=silent),
        partial(scene.take_up, Mode.RESUME),
        partial(scene.take_up, Mode.RECOVER),
    )
    for command in commands:
        with pytest.raises(BusyError, match=RUN_ID) as busy:
            command()
        assert busy.value.exit_code == 75
    assert len(scene.world.calls) == before


def edit(story: Story) -> Iterator[End]:
    """EDT: the run is cut off, and something is edited before the next command; `check` looks while it is edited."""
    if story.state == "check":
        yield from map(story.meet, EDITED)
        return
    moments = find_within(story.state, story.span)
    moment = moments[len(moments) // 2]
    for mode in Mode:
        expected = _take_up_edited(story, moment, mode, "nothing", lambda scene: scene.bench.plan)
        for name, change in EDITS.items():
            found = _take_up_edited(story, moment, mode, name, change)
            yield replace(found, usual=expected.trace)


def _take_up_edited(story: Story, moment: Moment, mode: Mode, name: str, change: Callable[[Scene], Plan]) -> End:
    scene = story.scene(f"{name} edited {mode}")
    with moment.plan(scene, scene.world.script.kill):
        scene.run_until_killed()
    report = scene.take_up(mode, read_confirmed(change(scene)))
    return End(f"{name} edited", scene, report, story.usual, mode)


def set_clock_back(story: Story) -> Iterator[End]:
    """CLK: the time of day jumps backwards."""
    for name, seconds in {"minutes": 300.0, "days": 3 * 86_400.0}.items():
        end = story.meet(Trouble(f"{name} back", partial(_set_back, seconds)))
        assert any("The clock went back" in note for note in end.scene.notes(end.report)), str(end)
        yield end


def _set_back(seconds: float, scene: Scene) -> None:
    scene.world.clock.set_back(seconds)


def silence_source(story: Story) -> Iterator[End]:
    """GHD: the source of releases is down or limits its callers."""
    yield from _ask_source(story, SILENT)


def poison_source(story: Story) -> Iterator[End]:
    """GHB: what the source of releases sends is hostile or huge."""
    yield from _ask_source(story, HOSTILE)
    if story.state == "confirm":
        scene = story.scene("hostile notes")
        write_hostile_notes(scene)
        yield End("hostile notes", scene, scene.bench.run(scene.version, force=False), story.usual)
        assert [question.notes for question in scene.operator.questions] == [scene.world.releases["v1.1.0"].notes]


def _ask_source(story: Story, troubles: tuple[Trouble, ...]) -> Iterator[End]:
    for trouble in troubles:
        end = story.meet(trouble)
        assert POISON not in end.report.run.reason
        assert ("api.github.example" in end.report.run.reason) is (story.state == "check"), str(end)
        yield end


FAULTS: Mapping[str, Fault] = {
    "K0": kill_before,
    "K1": kill_within,
    "K2": kill_behind,
    "INT": interrupt,
    "TERM": terminate,
    "PWR": lose_power,
    "TWO": start_second,
    "EDT": edit,
    "CLK": set_clock_back,
    "GHD": silence_source,
    "GHB": poison_source,
    "BOO": reboot,
}
