"""Which form a run is told in, and that each form is one."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli import main
from orchestrator.cli.run_display import Output, RunSession, choose_display
from orchestrator.core.model.progress import Progress
from orchestrator.live.display import ProgressDisplay
from orchestrator.live.events import EventDisplay
from orchestrator.live.operator import TerminalOperator
from orchestrator.live.plain import LineDisplay
from orchestrator.live.screen import ScreenDisplay
from tests.tools.bench import Bench


class Stream(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("output", "terminal", "term", "display"),
    [
        (Output(), True, "xterm-256color", ScreenDisplay),
        (Output(as_json=True), True, "xterm-256color", ScreenDisplay),  # stdout is the program's, stderr the person's
        (Output(verbose=True), True, "xterm-256color", ScreenDisplay),
        (Output(), True, "dumb", LineDisplay),
        (Output(), True, "", LineDisplay),
        (Output(), False, "xterm-256color", LineDisplay),
        (Output(quiet=True), True, "xterm-256color", ProgressDisplay),
        (Output(as_lines=True), True, "xterm-256color", EventDisplay),
        (Output(as_lines=True, quiet=True), False, "dumb", EventDisplay),
    ],
)
def test_a_run_is_drawn_only_where_something_can_be_drawn(
    monkeypatch: pytest.MonkeyPatch, output: Output, terminal: bool, term: str, display: type
) -> None:
    monkeypatch.setattr(sys, "stderr", Stream(terminal=terminal))
    monkeypatch.setenv("TERM", term)
    assert type(choose_display(output)) is display


def test_verbose_reaches_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = Stream(terminal=False)
    monkeypatch.setattr(sys, "stderr", pipe)
    choose_display(Output(verbose=True)).progressed("backup", Progress(label="Writing"))
    choose_display(Output()).progressed("stop", Progress(label="Copying"))
    assert pipe.getvalue() == "  backup: Writing\n"


@pytest.mark.parametrize("command", [["run"], ["rollback"], ["resume"], ["recover"]])
def test_what_cannot_begin_is_one_event_for_a_program(tmp_path: Path, command: list[str]) -> None:
    done = CliRunner().invoke(main, [*command, str(tmp_path / "nowhere.yaml"), "--json-lines"])
    (line,) = done.stdout.splitlines()
    event = json.loads(line)
    assert (event["schema"], event["event"], event["error"]["code"]) == (1, "error", "plan.not_found")
    assert event["exit_code"] == done.exit_code == 2


@pytest.mark.parametrize("command", [["run"], ["rollback"], ["resume"], ["recover"], ["backups", "restore"]])
def test_every_command_that_runs_something_has_the_same_options(command: list[str]) -> None:
    told = CliRunner().invoke(main, [*command, "--help"]).output
    for option in ("--json ", "--json-lines", "-q, --quiet", "-v, --verbose"):
        assert option in told


def test_the_end_is_told_in_the_form_that_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Bench(tmp_path).run("v1.2.0")

    def tell(output: Output) -> str:
        assert RunSession(output, ProgressDisplay(), TerminalOperator()).print_end(report) == 10
        return capsys.readouterr().out

    assert json.loads(tell(Output(as_json=True))) == report.to_json()
    assert json.loads(tell(Output(as_lines=True))) == {"schema": 1, "event": "ended", "report": report.to_json()}
    assert tell(Output()) == "\n" + tell(Output(quiet=True))
    assert tell(Output(quiet=True)).startswith("REFUSED  1.0.0 → 1.2.0")


def test_where_there_was_nothing_to_take_up_it_is_said_in_that_form_too(capsys: pytest.CaptureFixture[str]) -> None:
    for output, told in (
        (Output(), "Nothing."),
        (Output(as_json=True), '{"schema": 1, "run": null}'),
        (Output(as_lines=True), '{"schema": 1, "event": "ended", "report": null}'),
    ):
        assert RunSession(output, ProgressDisplay(), TerminalOperator()).print_nothing("Nothing.") == 0
        assert capsys.readouterr().out == f"{told}\n"
