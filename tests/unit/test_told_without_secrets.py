"""Whatever an app or a tool says of a secret, nothing that is kept or shown of a run holds it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.adapters.compose import Compose
from orchestrator.adapters.masked_feed import MaskedFeed
from orchestrator.adapters.system_clock import SystemClock
from orchestrator.cli.boundary import boundary
from orchestrator.deadline import Deadline
from orchestrator.errors import MigrationError, PlatformError
from orchestrator.masking import PROCESS_MASK, Mask
from orchestrator.model import Release
from orchestrator.releases import ReleaseRequest
from orchestrator.service import SilentListener
from tests.fakes.bench import WITHOUT_REHEARSAL, Bench

CANARY = "c4nary-9Zx8Yw7Vu6"


class Told(SilentListener):
    """Remembers what is said while a state is at work, and why each one ended."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def said(self, state: str, line: str) -> None:
        self.told.append(line)

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None:
        self.told.append(reason)


def test_neither_journal_nor_report_nor_terminal_has_what_a_failure_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    told = Told()
    service = replace(bench.service, world=replace(bench.service.world, mask=Mask([CANARY])))
    bench.world.releases["v1.1.0"].notes = f"The default password is {CANARY}."

    def fail(*_: object, **__: object) -> None:
        raise MigrationError("migrate.failed", f"connection to {CANARY}\nfailed", hint=f"password={CANARY}")

    monkeypatch.setattr(service.world.platform, "start_job", fail)
    report = service.run(ReleaseRequest(version="v1.1.0"), assume_yes=True, listener=told)
    assert report.run.reason == "connection to ***\nfailed\npassword=***"
    assert CANARY not in json.dumps(report.to_json())
    assert any("***" in reason for reason in told.told)
    assert CANARY not in "".join(told.told)
    folder = bench.plan.journal_directory
    assert CANARY.encode() not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_release_notes_come_without_what_their_author_should_not_have_written() -> None:
    class Feed:
        def list_releases(self) -> tuple[Release, ...]:
            return (Release(version="v1.0.0", notes=f"password={CANARY}\n### What's new"),)

    (release,) = MaskedFeed(Feed(), Mask()).list_releases()
    assert release.notes == "password=***\n### What's new"


def test_a_command_of_the_operator_leaves_a_log_without_secrets(tmp_path: Path) -> None:
    compose = Compose({"PATH": "/usr/bin:/bin"}, mask=Mask([CANARY]))
    log = tmp_path / "step.log"
    deadline = Deadline(SystemClock(), 30)
    argv = ["printf", f"using {CANARY}\\n"]
    assert compose.run_command(argv, tmp_path, variables={}, log=log, deadline=deadline) == 0
    assert log.read_text() == "using ***\n"
    assert log.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [log]


def test_an_error_of_ours_is_shown_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    PROCESS_MASK.learn([CANARY])
    for as_json in (False, True):
        with pytest.raises(SystemExit), boundary(as_json):
            raise PlatformError("compose.invalid", f"invalid value {CANARY}", hint=f"see {CANARY}")
    with pytest.raises(SystemExit), boundary(as_json=False):
        raise ValueError(CANARY)
    said = capsys.readouterr()
    assert "***" in said.out
    assert CANARY not in said.out + said.err
