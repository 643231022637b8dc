"""Drift of services is refused before anything is touched, undone later, and reported at the end."""

from __future__ import annotations

from pathlib import Path

from orchestrator.core.model.verdict import Verdict
from orchestrator.core.model.workloads import Difference
from orchestrator.core.ports.release_finder import ReleaseRequest
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version

VOLUME = Difference(service="app", item="mount /uploads", running="volume uploads", rendered="")
OTHER = Difference(service="proxy", item="port 80/tcp", running="80", rendered="8080")
PLAIN = """\
initial: backup
states:
  backup:   {kind: backup,   then: {done: stop, failed: refused}}
  stop:     {kind: stop,     then: {done: pull, failed: rollback}}
  pull:     {kind: pull,     then: {done: migrate, failed: rollback}}
  migrate:  {kind: migrate,  then: {done: start, failed: restore}}
  start:    {kind: start,    then: {done: health, failed: restore}}
  health:   {kind: health,   then: {done: upgraded, failed: restore}}
  restore:  {kind: restore,  then: {done: rollback, failed: stranded}}
  rollback: {kind: rollback, then: {done: rolled_back, failed: stranded}}
  refused:     {end: refused}
  upgraded:    {end: committed}
  rolled_back: {end: rolled_back}
  stranded:    {end: needs_operator}
"""


def test_a_difference_is_refused_before_anything_is_touched_with_what_to_do(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.world.drift += [VOLUME, OTHER]
    report = bench.run("v1.1.0")
    assert (report.run.verdict, bench.path()) == (Verdict.REFUSED, ["check", "preflight"])
    assert bench.world.chain() == ["workloads.freeze"]
    assert "app: mount /uploads: volume uploads now, none after a start" in report.run.reason
    assert "proxy: port 80/tcp: 80 now, 8080 after a start" in report.run.reason
    assert "in 2 settings" in report.run.reason
    assert "Make them agree." in report.run.reason


def test_a_difference_is_seen_by_a_dry_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.world.drift.append(VOLUME)
    seen = {state.kind: state.problem for state in bench.service.dry_run(ReleaseRequest(), assume_yes=True)}
    assert "mount /uploads" in seen["preflight"]


def test_a_plan_without_preflight_refuses_as_it_opens(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PLAIN)
    bench.world.drift.append(VOLUME)
    report = bench.run("v1.1.0")
    assert (report.run.verdict, bench.path()) == (Verdict.REFUSED, [])
    assert "mount /uploads" in report.run.reason


def test_going_back_after_a_commit_refuses_where_a_start_would_change_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.run("v1.1.0").run.verdict is Verdict.COMMITTED
    bench.world.drift.append(VOLUME)
    report = bench.service.roll_back(assume_yes=True, listener=bench.recorder)
    assert report.run.verdict is Verdict.REFUSED
    assert serving_version(bench.world) == "v1.1.0"


def test_another_image_than_the_pins_is_told_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.world.pin = "v0.9.0"
    reason = bench.run("v1.1.0").run.reason
    assert "The version variable says v0.9.0" in reason
    assert "differs from what would be started" not in reason


def test_containers_that_come_up_otherwise_than_confirmed_are_gone_back_from(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.happen("workloads.start_services", lambda: bench.world.drift.append(VOLUME), when="after")
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert report.failure is not None
    assert report.failure.state == "start"
    assert "What came up is not what was confirmed: app: mount /uploads" in report.failure.cause
    assert serving_version(bench.world) == "v1.0.0"
    assert [note for note in report.notes if "not in all what ran before the upgrade: app: mount" in note]


def test_what_is_not_the_apps_own_does_not_count_once_the_upgrade_is_at_work(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.world.happen("workloads.start_services", lambda: bench.world.drift.append(OTHER), when="after")
    report = bench.run("v1.1.0")
    assert (report.run.verdict, report.notes) == (Verdict.COMMITTED, ())


def test_a_difference_after_the_commit_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def closed() -> None:
        bench.world.happen("workloads.start_services", opened, when="after")

    def opened() -> None:
        bench.world.drift.append(VOLUME)

    bench.world.happen("workloads.start_services", closed, when="after")
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.COMMITTED
    assert [note for note in report.notes if "not in all what was confirmed: app: mount /uploads" in note]
