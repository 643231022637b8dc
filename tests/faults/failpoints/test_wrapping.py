"""A wrapped run does what an unwrapped one does, and can be killed and failed at each point that it passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from orchestrator import wiring
from orchestrator.core.errors import PlatformError
from orchestrator.core.model.verdict import Verdict
from orchestrator.reports.report import RunReport
from tests.faults.failpoints import process
from tests.faults.failpoints.points import Failpoints, Instead, Killing, Point, Recording
from tests.faults.failpoints.wrapping import journal_watched, wrap, wrap_port
from tests.tools.bench import WITHOUT_REHEARSAL, Bench
from tests.tools.build import make_ports, make_world
from tests.tools.script import Killed


def run_wrapped(bench: Bench, points: Failpoints, version: str) -> RunReport:
    bench.service = replace(bench.service, ports=wrap(bench.service.ports, points))
    with journal_watched(points):
        return bench.run(version)


@pytest.mark.parametrize("version", ["v1.1.0", "v1.2.0", "v1.3.0"])
def test_a_wrapped_run_has_the_effects_of_an_unwrapped_one(tmp_path: Path, version: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    bare, wrapped, points = Bench(tmp_path / "one"), Bench(tmp_path / "other"), Recording()
    bare.run(version)
    run_wrapped(wrapped, points, version)
    assert wrapped.world.chain() == bare.world.chain()
    assert len(points.points) > 100


def test_each_effect_and_each_record_is_between_its_two_points(tmp_path: Path) -> None:
    bench, points = Bench(tmp_path, WITHOUT_REHEARSAL), Recording()
    run_wrapped(bench, points, "v1.2.0")
    names = [point.name for point in points.points if point.touch == "effect"]
    assert len(names) == len(set(names))
    for name in names:
        call, _, side = name.rpartition(".")
        if side.startswith("before"):
            assert f"{call}.{side.replace('before', 'after')}" in names[names.index(name) :]
    order = [name for name in names if "migrate" in name or "job" in name or "prepared" in name]
    assert order.index("workloads.start_job.before") > order.index("journal.prepared.after")
    assert {"journal.open.before", "journal.begin.after", "journal.end.before"} <= set(names)


def test_what_a_stage_does_has_points_of_its_own(tmp_path: Path) -> None:
    bench, points = Bench(tmp_path), Recording()
    run_wrapped(bench, points, "v1.1.0")
    names = {point.name for point in points.points}
    assert {"stages.open.before", "stage.containers.start_job.after", "stage.database.restore.before"} <= names


def test_an_effect_that_fails_has_a_point_behind_it_too(tmp_path: Path) -> None:
    world, points = make_world(tmp_path), Recording()
    images = wrap_port("images", make_ports(world).images, points)
    with pytest.raises(PlatformError):
        images.keep("sha256:nothing", "a-name")
    assert [point.name for point in points.points] == ["images.keep.before", "images.keep.after"]


def test_a_call_can_be_answered_in_its_place(tmp_path: Path) -> None:
    class Answering(Failpoints):
        def meet(self, point: Point) -> None:
            raise Instead("another pin")

    world = make_world(tmp_path)
    assert wrap_port("workloads", make_ports(world).workloads, Answering()).read_pin() == "another pin"


def test_the_second_time_has_a_name_of_its_own(tmp_path: Path) -> None:
    points = Recording()
    clock = wrap_port("clock", make_world(tmp_path).clock, points)
    clock.now()
    clock.now()
    assert [point.name for point in points.points][2:] == ["clock.now.before#2", "clock.now.after#2"]


def dying(at: str, record: Path) -> Killing:
    """Dies as an exception does, so that the test goes on."""

    def die() -> None:
        raise Killed

    return Killing(die_at=at, record=record, kill=die)


@contextmanager
def fake_wiring(bench: Bench) -> Iterator[str]:
    """The command line finds the bench's world where it would build the real adapters."""
    with patch.object(wiring, "build_ports", lambda plan, operator: make_ports(bench.world, operator=operator)):
        yield str(bench.plan.source)


def test_the_command_line_dies_at_the_named_point_and_tells_which_it_has_passed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.plan.source.write_text(bench.plan.text, encoding="utf-8")
    reached = tmp_path / "reached.txt"
    points = dying("workloads.start_job.before", reached)
    with fake_wiring(bench) as plan, pytest.raises(Killed):
        process.run_command(["run", plan, "--force", "--version", "v1.1.0"], points)
    lines = reached.read_text(encoding="utf-8").splitlines()
    assert "effect journal.prepared.after" in lines
    assert "effect workloads.start_job.before" in lines
    assert "effect workloads.start_job.after" not in lines
    assert "workloads.start_job" not in bench.world.chain()


def test_the_command_line_ends_as_it_would_without_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path)
    bench.plan.source.write_text(bench.plan.text, encoding="utf-8")
    with fake_wiring(bench) as plan, pytest.raises(SystemExit) as ended:
        process.run_command(["run", plan, "--force", "--version", "v1.1.0", "--json"], Killing())
    assert ended.value.code == 0
    assert Verdict.COMMITTED in capsys.readouterr().out
