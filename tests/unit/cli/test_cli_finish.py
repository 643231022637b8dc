"""How a run ended is printed first and told then, and neither a broken notifier nor a signal changes the exit code."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.cli.finish import tell_end
from orchestrator.cli.run_display import Output, RunSession
from orchestrator.core.model.notices import Notice
from orchestrator.live.display import ProgressDisplay
from orchestrator.live.operator import TerminalOperator
from orchestrator.plan.schema import NotifySpec
from orchestrator.run.service import Service
from tests.tools.bench import Bench


class Trouble:
    """Has problems, after a signal if it is given one."""

    def __init__(self, signal_number: int | None) -> None:
        self._signal_number = signal_number

    def send(self, notice: Notice, *, timeout_s: float) -> tuple[str, ...]:
        if self._signal_number is not None:
            os.kill(os.getpid(), self._signal_number)
        return ("Nobody was notified.",)


@pytest.mark.parametrize(
    ("signal_number", "note"),
    [
        (None, "note: Nobody was notified.\n"),
        (signal.SIGTERM, "note: A signal came before everybody was notified.\n"),
        (signal.SIGINT, "note: A signal came before everybody was notified.\n"),
    ],
)
def test_a_run_that_nobody_could_be_told_of_ended_as_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], signal_number: int | None, note: str
) -> None:
    bench = Bench(tmp_path)
    report = bench.run("v1.1.0")
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    session = RunSession(Output(as_json=True), ProgressDisplay(), TerminalOperator())
    assert tell_end(session, make_service(bench, Trouble(signal_number)), report) == 0
    said = capsys.readouterr()
    assert '"verdict": "committed"' in said.out
    assert said.err == note
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def make_service(bench: Bench, notifier: Trouble) -> Service:
    plan = replace(bench.plan, notify=NotifySpec(urls_variable="URLS"))
    return replace(bench.service, plan=plan, ports=replace(bench.service.ports, notifier=notifier))
