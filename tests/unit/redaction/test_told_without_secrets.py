"""No stored or shown text of a run holds a secret, whatever an app or a tool prints."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from orchestrator.adapters.compose.command import Compose
from orchestrator.adapters.compose.jobs import LINE_BYTES, TAIL_BYTES, Jobs
from orchestrator.adapters.compose.project import ComposeProject
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.exec_program import _ERRORS_KEPT_BYTES, _tell
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.adapters.releases.redacted_feed import RedactedFeed
from orchestrator.cli.boundary import boundary
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import MigrationError, PlatformError
from orchestrator.core.model.releases import Release
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.journal.journal import Journal
from orchestrator.redaction.redactor import PROCESS_MASK, Redactor
from orchestrator.reports.support import write_support
from orchestrator.run.listener import Listener
from tests.tools.bench import WITHOUT_REHEARSAL, Bench
from tests.tools.build import RECOVERY

CANARY = "c4nary-9Zx8Yw7Vu6"


class Told(Listener):
    """Remembers what is said while a state is at work, and why each one ended."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def said(self, state: str, line: str) -> None:
        self.told.append(line)

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None:
        self.told.append(reason)


def test_secret_of_a_failure_is_in_neither_journal_nor_report_nor_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    told = Told()
    service = replace(bench.service, ports=replace(bench.service.ports, mask=Redactor([CANARY])))
    bench.world.releases["v1.1.0"].notes = f"The default password is {CANARY}."

    def fail(*_: object, **__: object) -> None:
        raise MigrationError("migrate.failed", f"connection to {CANARY}\nfailed", hint=f"password={CANARY}")

    monkeypatch.setattr(service.ports.workloads, "start_job", fail)
    report = service.run(ReleaseRequest(version="v1.1.0"), assume_yes=True, listener=told)
    assert report.run.reason == "connection to ***\nfailed\npassword=***"
    assert CANARY not in json.dumps(report.to_json())
    assert any("***" in reason for reason in told.told)
    assert CANARY not in "".join(told.told)
    folder = bench.plan.journal_directory
    assert CANARY.encode() not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_release_notes_are_redacted() -> None:
    class Feed:
        def list_releases(self) -> tuple[Release, ...]:
            return (Release(version="v1.0.0", notes=f"password={CANARY}\n### What's new"),)

    (release,) = RedactedFeed(Feed(), Redactor()).list_releases()
    assert release.notes == "password=***\n### What's new"


def test_a_command_of_the_operator_leaves_a_log_without_secrets(tmp_path: Path) -> None:
    compose = Compose({"PATH": "/usr/bin:/bin"}, mask=Redactor([CANARY]))
    log = tmp_path / "step.log"
    deadline = Deadline(SystemClock(), 30)
    argv = ["printf", f"using {CANARY}\\n"]
    assert compose.run_command(argv, tmp_path, variables={}, log=log, deadline=deadline) == 0
    assert log.read_text() == "using ***\n"
    assert log.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [log]


def test_an_error_of_ours_is_shown_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    PROCESS_MASK.register([CANARY])
    for as_json in (False, True):
        with pytest.raises(SystemExit), boundary(as_json):
            raise PlatformError("compose.invalid", f"invalid value {CANARY}", hint=f"see {CANARY}")
    with pytest.raises(SystemExit), boundary(as_json=False):
        raise ValueError(CANARY)
    said = capsys.readouterr()
    assert "***" in said.out
    assert CANARY not in said.out + said.err


def test_output_of_compose_is_masked_before_it_is_cut(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\nprintf 'first {CANARY}%01990d {CANARY} last' 0 >&2\nexit 1\n")
    docker.chmod(0o755)
    compose = Compose({"PATH": f"{tmp_path}:/usr/bin:/bin"}, mask=Redactor([CANARY]))
    with pytest.raises(PlatformError) as caught:
        compose.run(["docker", "compose", "up"], tmp_path, deadline=Deadline(SystemClock(), 30))
    said = " ".join(caught.value.sentences())
    assert said.count("last") == 1
    assert not [part for part in (CANARY[:6], CANARY[-6:]) if part in said]


@pytest.mark.parametrize("lines", [1, 3000])
def test_output_of_a_program_is_cut_at_the_beginning_of_a_line(lines: int) -> None:
    said = _tell((f"{CANARY}\n" * (lines * 2))[1:].encode()[-_ERRORS_KEPT_BYTES:])
    assert set(said.split("\n")[1:]) == {CANARY}
    assert lines == 1 or said.startswith(CANARY)


def test_the_newest_line_and_the_logs_of_a_container_are_masked_before_they_are_cut(tmp_path: Path) -> None:
    line = f"using {CANARY} " + "x" * (LINE_BYTES - 9)
    engine = DockerEngine.connect("unix:///nonexistent/docker.sock")
    mask = Redactor([CANARY])
    with (
        patch.object(engine, "read_last_line", lambda _name: line.encode()),
        patch.object(engine, "read_log", lambda _name, lines=None: (chunk.encode() for chunk in (line, "\n") * 40)),
    ):
        project = ComposeProject(tmp_path, ["app"], "V", engine, Compose({}, mask=mask))
        told = (Jobs(engine, mask)._listen("job"), project.read_logs("c", lines=50))
    assert not [part for part in (CANARY[:6], CANARY[-6:]) for text in told if part in text]
    assert len(told[1]) <= TAIL_BYTES


def test_half_a_character_is_no_reason_to_have_no_journal_and_no_support_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.releases["v1.1.0"].notes = "half \ud800 a character"

    def fail(*_: object, **__: object) -> None:
        raise MigrationError("migrate.failed", "it says \udbff and \udc80")

    bench.service = replace(bench.service)
    with patch.object(bench.service.ports.workloads, "start_job", fail):
        report = bench.service.run(ReleaseRequest(version="v1.1.0"), assume_yes=True, listener=Listener())
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        written = write_support(journal, journal.runs()[0], Redactor(), RECOVERY, tmp_path / "support.tar.gz")
    assert written.path.is_file()
    json.dumps(report.to_json()).encode()
