"""Edits while a run is at work or was cut off do not change it, and are reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.render import render_report
from orchestrator.core.model.progress import Question
from orchestrator.core.model.verdict import Verdict
from orchestrator.machine.resume import Mode
from orchestrator.reports.report import RunReport
from orchestrator.run.recovery import Takeover
from states.registry import KINDS
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version
from tests.tools.build import make_ports
from tests.tools.outside import FakeOperator
from tests.tools.script import Killed
from tests.tools.world import FakeWorld

EFFECTS = {
    "prefetch": "images.pull",
    "stop": "database.copy",
    "migrate": "workloads.start_job",
    "start": "workloads.start_services",
    "restore": "database.swap",
}


def take_up(bench: Bench, mode: Mode, told: list[str]) -> RunReport:
    before = len(bench.world.calls)

    def warn(text: str) -> None:
        assert len(bench.world.calls) == before
        told.append(text)

    way = Takeover(bench.plan, KINDS, make_ports(bench.world))
    report = way.take_up(mode, announce=lambda *_: None, listener=bench.recorder, warn=warn)
    assert report is not None
    return report


def kill(bench: Bench, method: str, version: str) -> None:
    bench.world.happen(method, lambda: bench.world.script.die_at(0, "before"), when="after")
    with pytest.raises(Killed):
        bench.run(version)
    bench.world.script.revive()


@pytest.mark.parametrize("mode", [Mode.RESUME, Mode.RECOVER])
@pytest.mark.parametrize("state", EFFECTS)
def test_what_was_edited_after_a_crash_is_told_first_and_changes_nothing(
    tmp_path: Path, state: str, mode: Mode
) -> None:
    version = "v1.2.0" if state == "restore" else "v1.1.0"
    ends = []
    for name, edited in (("plain", []), ("edited", ["compose.yaml", ".env"])):
        (tmp_path / name).mkdir()
        bench = Bench(tmp_path / name, WITHOUT_REHEARSAL)
        bench.world.users_write(3)
        kill(bench, EFFECTS[state], version)
        bench.world.edited += edited
        told: list[str] = []
        report = take_up(bench, mode, told)
        assert len(told) == len(edited)
        assert all(one in text for one, text in zip(edited, told, strict=True))
        assert list(report.notes) == told
        ends.append((report.run.verdict, serving_version(bench.world), bench.world.chain()[-5:], bench.world.lost()))
    assert ends[0] == ends[1]


def test_a_report_says_how_the_files_differ_from_what_runs_after_a_way_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.happen("workloads.start_job", lambda: bench.world.edited.append("compose.yaml"))
    report = bench.run("v1.2.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    (note,) = report.notes
    assert "compose.yaml was edited after the run began: what runs is as it was before that" in note
    assert report.to_json()["notes"] == [note]
    assert "compose.yaml was edited" in render_report(report)


def test_a_pin_that_somebody_else_has_set_is_told_without_its_value(tmp_path: Path) -> None:
    bench, told = Bench(tmp_path, WITHOUT_REHEARSAL), list[str]()
    kill(bench, "database.copy", "v1.1.0")
    bench.world.pin = "s3cret"
    report = take_up(bench, Mode.RECOVER, told)
    assert told == ["The variable APP_VERSION was set by somebody else after the run began: the run sets it itself."]
    assert (report.run.verdict, bench.world.pin) == (Verdict.ROLLED_BACK, "v1.0.0")


class SlowOperator(FakeOperator):
    """Says yes, after somebody has edited a file."""

    world: FakeWorld

    def confirm(self, question: Question) -> bool | None:
        self.world.edited.append("compose.yaml")
        return super().confirm(question)


@pytest.mark.parametrize("force", [True, False])
def test_a_yes_counts_for_the_files_that_it_was_asked_about(tmp_path: Path, force: bool) -> None:
    operator = SlowOperator()
    bench = Bench(tmp_path, WITHOUT_REHEARSAL, operator)
    operator.world = bench.world
    if force:
        bench.world.happen("workloads.inspect_services", lambda: bench.world.edited.append("compose.yaml"))
    report = bench.run(force=force)
    assert report.run.verdict is Verdict.REFUSED
    assert "Edited since this run began: compose.yaml." in report.run.reason
    assert bench.world.chain() == ["workloads.freeze"]


@pytest.mark.parametrize("mode", [Mode.RESUME, Mode.RECOVER])
def test_a_tag_that_was_moved_after_a_crash_changes_nothing(tmp_path: Path, mode: Mode) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    kill(bench, "database.copy", "v1.1.0")
    confirmed, old, tag = bench.world.releases["v1.1.0"].digest, bench.world.images[0], bench.world.repository
    stranger = bench.world.add_image(bench.world.releases["v1.3.0"])
    for name in (f"{tag}:v1.0.0", f"{tag}:v1.1.0"):
        for image in bench.world.images:
            image.names.discard(name)
        stranger.names.add(name)
    bench.world.releases["v1.1.0"] = bench.world.releases["v1.3.0"]
    report = take_up(bench, mode, [])
    expected = (Verdict.COMMITTED, confirmed) if mode is Mode.RESUME else (Verdict.ROLLED_BACK, old.digest)
    assert (report.run.verdict, bench.world.containers["app"].image.digest) == expected


# --- the plan itself ---
