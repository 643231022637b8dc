"""The report of a run: its failure and its outage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.core.errors import HealthError
from orchestrator.core.model.verdict import Verdict
from tests.tools.bench import WITHOUT_REHEARSAL, Bench


@pytest.mark.parametrize(("machine", "state"), [("", "rehearse"), (WITHOUT_REHEARSAL, "migrate")])
def test_report_separates_the_cause_from_the_log_lines_when_a_state_fails(
    tmp_path: Path, machine: str, state: str
) -> None:
    report = Bench(tmp_path, machine).run("v1.2.0")
    assert report.failure is not None
    assert (report.failure.state, report.failure.kind) == (state, state)
    assert report.failure.cause.startswith("The migration ended with exit code 1")
    assert report.failure.words == ("migrating", "ERROR:  column authors.name contains null values")
    assert report.run.reason.splitlines()[0] == report.failure.cause
    assert json.loads(json.dumps(report.to_json()))["failure"]["words"] == list(report.failure.words)


def test_report_has_the_log_lines_of_the_containers_when_a_version_is_unhealthy(tmp_path: Path) -> None:
    report = Bench(tmp_path, WITHOUT_REHEARSAL).run("v1.3.0")
    assert report.failure is not None
    assert "write `give_up: deadline` under `target: health:`" in report.failure.cause
    assert report.failure.words[-1] == "UNHEALTHY"


def test_report_keeps_the_end_of_the_log_when_it_is_long(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.releases["v1.2.0"].migration_log = "".join(f"line {number}\n" for number in range(90))
    failure = bench.run("v1.2.0").failure
    assert failure is not None
    assert failure.words == tuple(f"line {number}" for number in range(70, 90))


def test_report_has_no_failure_when_no_state_fails(tmp_path: Path) -> None:
    report = Bench(tmp_path).run()
    assert report.failure is None
    assert report.to_json()["failure"] is None


def test_report_says_since_when_the_app_is_down_when_no_version_serves(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.script.refuse(["workloads.start_services"], HealthError("engine.refused", "It does not start."))
    report = bench.run()
    assert report.run.verdict is Verdict.NEEDS_OPERATOR
    assert report.outage_s is None
    assert report.down_since is not None
    assert report.to_json()["down_since"] == report.down_since.isoformat()


def test_error_message_has_log_lines_below_its_sentences() -> None:
    error = HealthError("health.failed", "It is not well.", impact="Users wait.", hint="Look.", log_tail="one\ntwo")
    assert error.message() == "It is not well. Users wait. Look.\none\ntwo"
