"""Every invariant bites: a run that keeps them all is broken by hand, in one thing, and the right one says so."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.core.facts import Current, TargetRelease
from orchestrator.core.model.verdict import Verdict
from orchestrator.journal.journal import Record
from orchestrator.journal.lock import project_lock
from orchestrator.machine.resume import Mode
from tests.faults.failpoints.cases import save_at_each_point
from tests.faults.failpoints.points import Point
from tests.faults.failpoints.scenes import STORIES, Scene
from tests.faults.invariants import INVARIANTS, Evidence, find_broken
from tests.tools.moments import AppContainer, Moment, Step
from tests.tools.things import FakeJob, digest_of
from tests.tools.world import FakeWorld

Break = Callable[[Evidence], Evidence]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Evidence]:
    """Runs in which everything holds: one that was committed, one that went back, one that was cut off before."""
    cases = {}
    for name, story in (("committed", "good"), ("went back", "migration fails"), ("recovered", "health fails")):
        scene = Scene(tmp_path_factory.mktemp(name), STORIES[story])
        if name == "recovered":
            cut = next(s for s in save_at_each_point(scene, scene.start) if s.point and s.point.call == "database.swap")
            ended = scene.play(Mode.RECOVER, scene.watch(cut))
        else:
            ended = scene.play("run", scene.watch(scene.start))
        cases[name] = scene.read(ended.saved)
    return cases


# --- how a case is broken


def in_world(change: Callable[[FakeWorld, Evidence], object]) -> Break:
    def broken(case: Evidence) -> Evidence:
        world: FakeWorld = pickle.loads(pickle.dumps(case.world))  # noqa: S301 - our own
        change(world, case)
        return replace(case, world=world)

    return broken


def at(point: str, change: Callable[[Moment], Moment]) -> Break:
    """Another moment at the point with this name."""

    def broken(case: Evidence) -> Evidence:
        assert point in [step.point.name for step in case.steps]
        return replace(case, steps=tuple(changed(step) for step in case.steps))

    def changed(step: Step) -> Step:
        if step.point.name != point or step.moment is None:
            return step
        return replace(step, moment=change(step.moment))

    return broken


def with_step(point: Point, *, process: int = 0, records: int = 1) -> Break:
    """One more point, at the end."""

    def broken(case: Evidence) -> Evidence:
        return replace(case, steps=(*case.steps, Step(process, point, records, case.steps[-1].moment or case.end)))

    return broken


def with_records(change: Callable[[tuple[Record, ...]], tuple[Record, ...]]) -> Break:
    return lambda case: replace(case, records=change(case.records))


def without(record: str, state: str) -> Break:
    return with_records(lambda records: tuple(one for one in records if (one.record, one.state) != (record, state)))


def telling(record: str, state: str, **payload: object) -> Break:
    """A record of a state says something else."""

    def changed(records: tuple[Record, ...]) -> tuple[Record, ...]:
        assert (record, state) in [(one.record, one.state) for one in records]
        return tuple(
            replace(one, payload={**one.payload, **payload}) if (one.record, one.state) == (record, state) else one
            for one in records
        )

    return with_records(changed)


def repeated(record: str, times: int) -> Break:
    def changed(records: tuple[Record, ...]) -> tuple[Record, ...]:
        last = next(one for one in reversed(records) if one.record == record)
        return (*records, *[last] * times)

    return with_records(changed)


def ended(**change: object) -> Break:
    return lambda case: replace(case, run=replace(case.run, **change))  # type: ignore[arg-type]


def another(app: tuple[AppContainer, ...]) -> tuple[AppContainer, ...]:
    return (*app, replace(app[0], version="v9.9.9", running=True, gated=False, listens=True))


def reach_on_wrong_schema(moment: Moment) -> Moment:
    held = {name: replace(one, schema="another", fenced=False) for name, one in moment.databases.items()}
    app = tuple(replace(one, running=True, gated=False, listens=True) for one in moment.app)
    return replace(moment, databases=held, app=app)


def forget_look(call: str) -> Break:
    return lambda case: replace(case, steps=tuple(step for step in case.steps if step.point.call != call))


def leave_job(world: FakeWorld, case: Evidence, exit_code: int | None = None) -> None:
    image = world.containers["app"].image
    world.jobs["left"] = FakeJob("left", case.run.id, image, "", None, exit_code=exit_code)


def change_started_pin(case: Evidence) -> Evidence:
    def changed(step: Step) -> Step:
        if step.point.call != "workloads.start_services":
            return step
        return replace(step, point=replace(step.point, arguments=("app", "v9.9.9", "open")))

    return replace(case, steps=tuple(changed(step) for step in case.steps))


def change_target(case: Evidence) -> Evidence:
    target = case.find(TargetRelease)
    assert target is not None
    other = target.model_copy(update={"digest": digest_of("another")})
    return telling("prepared", "stop", facts={"target": other.model_dump(mode="json")})(case)


def stop_app(world: FakeWorld, case: Evidence) -> None:
    world.containers["app"].state = "exited"


def set_policy(world: FakeWorld, case: Evidence) -> None:
    world.containers["app"].restart_policy = "no"


EFFECT = Point("database.drop", "before", 9, "effect", ("neighbour",))

BREAKS: list[tuple[str, str, Break]] = [
    ("X1", "committed", at("backups.write.after", lambda moment: replace(moment, app=another(moment.app)))),
    ("X1", "went back", in_world(stop_app)),
    (
        "X1",
        "went back",
        lambda case: replace(ended(verdict=Verdict.NEEDS_OPERATOR)(case), report=replace(case.report, next_steps=())),
    ),
    ("X2", "committed", in_world(lambda world, case: world.acknowledged.append("saved and gone"))),
    ("X3", "committed", at("journal.left.before#3", reach_on_wrong_schema)),
    ("X4", "committed", at("workloads.start_job.after", lambda moment: replace(moment, sessions=("app", "job")))),
    ("X4", "went back", at("database.swap.before", lambda moment: replace(moment, sessions=("somebody",)))),
    ("X4", "committed", at("workloads.start_services.before", lambda moment: replace(moment, jobs=("job",)))),
    ("X5", "committed", at("workloads.start_job.before", lambda moment: replace(moment, backups=frozenset()))),
    ("X5", "committed", at("workloads.start_job.before", lambda moment: replace(moment, databases={}))),
    ("X5", "committed", without("left", "rehearse")),
    ("X6", "went back", at("workloads.start_job.before", lambda moment: replace(moment, images=frozenset()))),
    ("X6", "went back", at("workloads.start_job.before", lambda moment: replace(moment, image_names=frozenset()))),
    ("X6", "went back", at("workloads.start_job.before", lambda moment: replace(moment, backups=frozenset()))),
    ("X6", "went back", at("workloads.start_job.before", lambda moment: replace(moment, databases={}))),
    ("X7", "went back", without("left", "restore")),
    ("X7", "committed", without("prepared", "commit")),
    ("X8", "committed", with_step(EFFECT)),
    ("X8", "committed", without("prepared", "migrate")),
    (
        "X8",
        "committed",
        at("journal.left.before#7", lambda moment: replace(moment, app=(replace(moment.app[0], running=True),))),
    ),
    ("X9", "committed", with_step(EFFECT, process=1)),
    ("X9", "committed", ended(verdict=None)),
    ("X10", "committed", repeated("left", 64)),
    ("X10", "committed", repeated("entered", 3)),
    ("X10", "recovered", repeated("resumed", 6)),
    ("X10", "went back", telling("entered", "restore", deadline_s=1.0)),
    ("X10", "went back", telling("left", "restore", seconds=1e6)),
    ("X11", "committed", change_started_pin),
    ("X11", "committed", change_target),
    ("X12", "committed", in_world(lambda world, case: world.databases.pop("neighbour"))),
    ("X12", "committed", in_world(lambda world, case: world.files.pop(world.backup_directory / "theirs.sql.gz"))),
    ("X12", "committed", in_world(lambda world, case: world.jobs.pop("their-job"))),
    ("X12", "committed", in_world(lambda world, case: world.stages.clear())),
    ("X12", "committed", in_world(lambda world, case: setattr(world.containers["db"], "state", "exited"))),
    ("X13", "committed", lambda case: replace(case, exit_code=20)),
    ("X13", "committed", ended(end_state="rolled_back")),
    ("X13", "committed", ended(reason="another")),
    ("X13", "committed", lambda case: replace(case, document={"verdict": "refused", "exit_code": 10})),
    ("X13", "committed", in_world(lambda world, case: setattr(world, "pin", "v1.0.0"))),
    ("X13", "went back", in_world(set_policy)),
    ("X13", "committed", forget_look("probe.get")),
    ("X14", "went back", in_world(set_policy)),
    ("X14", "went back", in_world(lambda world, case: setattr(world, "pin", "v9.9.9"))),
    ("X15", "committed", in_world(leave_job)),
    ("X15", "committed", in_world(lambda world, case: leave_job(world, case, 0))),
    ("X15", "committed", in_world(lambda world, case: world.stages.update({case.run.id: world.apart()}))),
    ("X15", "committed", in_world(lambda world, case: setattr(world.databases[world.live], "fenced", True))),
    ("X15", "committed", lambda case: replace(case, report=replace(case.report, snapshot=None))),
    ("X15", "committed", lambda case: replace(case, before=replace(case.before, files=frozenset()))),
    ("X16", "committed", telling("left", "stop", to="rollback")),
    ("X16", "recovered", with_records(lambda records: tuple(retold(one) for one in records))),
    ("X16", "committed", without("left", "stop")),
]


def retold(record: Record) -> Record:
    return replace(record, payload={**record.payload, "how": "abandon"}) if record.record == "resumed" else record


@pytest.mark.parametrize("name", ["committed", "went back", "recovered"])
def test_of_a_good_run_none_says_anything(whole: dict[str, Evidence], name: str) -> None:
    assert find_broken(whole[name]) == []
    assert whole[name].find(Current) is not None
    assert len(whole[name].moments) > 100


@pytest.mark.parametrize(("invariant", "name", "breaking"), BREAKS)
def test_what_is_broken_by_hand_is_told(whole: dict[str, Evidence], invariant: str, name: str, breaking: Break) -> None:
    told = find_broken(breaking(whole[name]))
    assert [problem for problem in told if problem.startswith(f"{invariant} ")]


def test_every_invariant_is_broken_at_least_once() -> None:
    assert {name.split()[0] for name in INVARIANTS} == {invariant for invariant, _, _ in BREAKS}
    assert list(INVARIANTS) == sorted(INVARIANTS, key=lambda name: int(name.split()[0].removeprefix("X")))


@pytest.mark.parametrize("held", [True, False])
def test_a_lock_that_is_held_is_something_left(whole: dict[str, Evidence], held: bool) -> None:
    case = whole["committed"]
    folder = case.plan.target.project / ".orchestrator"
    with project_lock(folder, run_id="r-1") if held else nullcontext():
        assert bool(find_broken(case)) is held


def test_a_file_that_was_edited_in_the_folder_of_the_run_is_seen(
    whole: dict[str, Evidence], request: pytest.FixtureRequest
) -> None:
    case = whole["went back"]
    path: Path = case.plan.journal_directory / "runs" / case.run.id / "plan.yaml"
    text = path.read_text(encoding="utf-8")
    request.addfinalizer(lambda: path.write_text(text, encoding="utf-8"))
    path.write_text("another", encoding="utf-8")
    assert {told.split(" ")[0] for told in find_broken(case)} == {"X6", "X11"}
