"""A failure is told to its owner, and only a release's own is remembered against it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.adapters.compose.errors import Ended, explain_compose_failure
from orchestrator.core.errors import DatabaseError, PlatformError
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.owners import Owner
from orchestrator.journal.failures import find_failure
from orchestrator.journal.history import JournalHistory
from orchestrator.journal.journal import Journal, Record
from orchestrator.reports.notifications import build_notice
from orchestrator.reports.report import RunReport
from tests.tools.bench import WITHOUT_REHEARSAL, Bench

BAD, GOOD = "v1.2.0", "v1.1.0"
Breaking = Callable[[Bench], object]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, WITHOUT_REHEARSAL)


def remembered(bench: Bench, report: RunReport) -> bool:
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        digest = bench.world.releases[f"v{report.to_version}"].digest
        return JournalHistory(journal).find_failure(digest) is not None


def ends_with(exit_code: int) -> Breaking:
    return lambda bench: setattr(bench.world.releases[GOOD], "migrate", lambda database: exit_code)


def fill_disk(bench: Bench) -> None:
    """The migration fails for want of room, and nobody says so."""
    ends_with(1)(bench)
    bench.world.happen("workloads.start_job", lambda: setattr(bench.world, "database_free_bytes", 0), when="after")


def restart_server(bench: Bench) -> None:
    ends_with(1)(bench)
    bench.world.happen("workloads.start_job", lambda: setattr(bench.world, "boots", 7), when="after")


def interrupt(bench: Bench) -> None:
    bench.world.happen(
        "workloads.stop_services", lambda: bench.service.interruption.request(signal.SIGINT), when="after"
    )


def fail(method: str, error: Exception) -> Breaking:
    return lambda bench: bench.world.fail(method, error, when="after")


@pytest.mark.parametrize(
    ("breaks", "code", "owner", "advice"),
    [
        (ends_with(1), "migrate.failed", Owner.RELEASE, "wait for a better release"),
        (ends_with(137), "migrate.killed", Owner.HOST, "memory"),
        (ends_with(127), "migrate.program_missing", Owner.PLAN, "correct the line of the plan"),
        (fill_disk, "migrate.failed", Owner.HOST, "put right what is named on this host"),
        (restart_server, "migrate.failed", Owner.HOST, "put right what is named on this host"),
        (interrupt, "run.interrupted", Owner.OPERATOR, "you interrupted it"),
        (
            fail("database.copy", DatabaseError("database.in_use", "Somebody is there.")),
            "database.in_use",
            Owner.OPERATOR,
            "decide or end what is named",
        ),
        (
            fail("workloads.start_job", PlatformError("engine.refused", "It could not.")),
            "engine.refused",
            Owner.ENGINE,
            "look whether the container engine answers",
        ),
        (
            fail("workloads.start_job", PlatformError("service.unknown", "There is no service kinto.")),
            "service.unknown",
            Owner.PLAN,
            "correct the line of the plan",
        ),
    ],
)
def test_a_failure_after_the_stop_is_told_to_its_owner_and_held_against_nobody_else(
    bench: Bench, breaks: Breaking, code: str, owner: Owner, advice: str
) -> None:
    breaks(bench)
    report = bench.run(GOOD)
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert report.failure is not None
    assert (report.failure.code, report.failure.owner) == (code, owner)
    assert advice in report.next_steps[0]
    assert ("better release" in report.next_steps[0]) is (owner is Owner.RELEASE)
    assert remembered(bench, report) is (owner is Owner.RELEASE)
    document = json.loads(json.dumps(report.to_json()))
    assert (document["failure"]["code"], document["failure"]["owner"]) == (code, owner.value)
    assert report.next_steps[0] in build_notice(report, "host").body


def test_a_server_that_was_restarted_meanwhile_is_named_beside_the_exit_code(bench: Bench) -> None:
    restart_server(bench)
    failure = bench.run(GOOD).failure
    assert failure is not None
    assert "The database server was restarted while the new version was at work." in failure.cause


def test_an_app_that_the_kernel_kills_is_short_of_memory_and_no_bad_release(bench: Bench) -> None:
    def kill() -> None:
        for container in bench.world.containers.values():
            container.state, container.exit_code = "exited", 137

    bench.world.happen("workloads.start_services", kill, when="after")
    report = bench.run(GOOD)
    assert report.failure is not None
    assert (report.failure.code, report.failure.owner) == ("health.killed", Owner.HOST)


def test_a_release_that_failed_on_a_copy_is_told_of_and_tried_on_a_copy_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = bench.run(BAD)
    assert first.run.verdict is Verdict.REFUSED
    assert first.next_steps == ("Wait for a better release, or ask its author.",)
    again = bench.run(BAD)
    checked = next(line.reason for line in again.states if line.state == "check")
    assert f"it failed in the rehearsal of run {first.run.id}" in checked
    assert again.failure is not None
    assert again.failure.state == "rehearse"


def test_a_release_that_failed_on_a_copy_for_want_of_room_is_told_of_by_nobody(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.world.releases[GOOD].migrate = lambda database: 137
    assert bench.run(GOOD).run.verdict is Verdict.REFUSED
    bench.world.releases[GOOD].migrate = bench.world.releases["v1.3.0"].migrate
    assert "rehearsal" not in bench.run(GOOD).states[0].reason


def test_a_failure_of_an_earlier_version_has_no_owner_and_counts_against_its_release(bench: Bench) -> None:
    report = bench.run(BAD)
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        records = journal.records(report.run.id)
    old = [Record(r.seq, r.at, r.record, r.state, {**r.payload}) for r in records]
    for record in old:
        for key in ("code", "owner"):
            record.payload.pop(key, None)  # type: ignore[attr-defined] # a dict of our own
    failure = find_failure(old)
    assert failure is not None
    assert (failure.code, failure.owner, failure.of_release) == ("", None, True)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (
            'OCI runtime create failed: runc: exec: "kinto": executable file not found in $PATH',
            "compose.program_missing",
        ),
        ("exec /bin/app: exec format error", "compose.program_missing"),
        ("Bind for 127.0.0.1:80 failed: port is already allocated", "compose.failed"),
        ("error mounting /srv: no such file or directory: unknown", "compose.failed"),
    ],
)
def test_a_program_that_the_image_lacks_is_told_from_what_the_host_lacks(said: str, code: str) -> None:
    assert explain_compose_failure(Ended(1, "", said)).code == code
