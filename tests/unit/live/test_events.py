"""Events for programs, one JSON document a line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.live.events import EventDisplay
from orchestrator.reports.report import RunReport
from tests.tools.bench import WITHOUT_REHEARSAL, Bench


def run(bench: Bench, version: str = "v1.1.0") -> tuple[RunReport, list[dict[str, Any]]]:
    pipe = io.StringIO()
    bench.recorder = EventDisplay(pipe, bench.world.clock)  # type: ignore[assignment]  # in place of the recorder
    report = bench.run(version)
    return report, [json.loads(line) for line in pipe.getvalue().splitlines()]


def test_every_event_has_its_schema_and_its_time_and_states_are_entered_and_left(tmp_path: Path) -> None:
    report, events = run(Bench(tmp_path))
    assert {event["schema"] for event in events} == {1}
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert events[0]["event"] == "began"
    assert events[0]["run"] == report.run.id
    entered = [event["state"] for event in events if event["event"] == "entered"]
    left = [event["state"] for event in events if event["event"] == "left"]
    assert entered == left == events[0]["path"][:-1]


@pytest.mark.parametrize("version", ["v1.1.0", "v1.2.0"])
def test_the_outage_begins_and_ends_as_it_is_reported(tmp_path: Path, version: str) -> None:
    report, events = run(Bench(tmp_path, WITHOUT_REHEARSAL), version)
    outages = [event for event in events if event["event"] == "outage"]
    assert outages[0]["ended_at"] is None
    assert outages[-1]["seconds"] == report.outage_s


def test_progress_says_how_far_it_is_and_what_remains_and_not_too_often(tmp_path: Path) -> None:
    _, events = run(Bench(tmp_path))
    told = [event for event in events if event["event"] == "progress"]
    assert {event["label"] for event in told} >= {"Writing the backup", "Restoring the backup", "Copying the database"}
    (copy,) = [event for event in told if event["label"] == "Copying the database"]
    assert copy["remaining_s"] == copy["expected_s"]
    said = [event for event in events if event["event"] == "said" and event["state"] == "migrate"]
    assert [event["line"] for event in said] == ["migrating"]


def test_the_cause_of_a_failure_is_in_its_event_with_the_log_lines(tmp_path: Path) -> None:
    report, events = run(Bench(tmp_path), "v1.2.0")
    (failed,) = [event for event in events if event["event"] == "left" and event["outcome"] == "failed"]
    assert "null values" in failed["reason"]
    assert report.failure is not None
    assert failed["reason"].startswith(report.failure.cause)


def test_a_dump_is_measured_by_the_one_before_it_as_long_as_it_is_not_larger(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    first, _ = run(bench)
    assert first.backup is not None

    def begin_dump(version: str) -> tuple[int | None, bool]:
        _, events = run(bench, version)
        told = next(event for event in events if event.get("label") == "Writing the backup")
        return told["total"], told["estimated"]

    assert begin_dump("v1.2.0") == (first.backup.dump_bytes, True)
    bench.world.users_write(5000)
    assert begin_dump("v1.3.0") == (None, False)
