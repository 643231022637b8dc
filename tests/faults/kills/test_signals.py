"""Signals and a closed terminal against a real process, also where a call of it hangs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline
from orchestrator.core.model.verdict import Verdict
from orchestrator.journal.journal import Journal, Run
from tests.faults.kills.starting import Project

CHECKOUT = Path(__file__).resolve().parents[3]
LEAVES_WITHIN_S = 10  # 2 s on a host that has nothing else to do
LEFT = 143
HANGING = {
    "preflight": ("probe.get", "v1.1.0"),
    "prefetch": ("images.pull", "v1.1.0"),
    "backup": ("backups.write", "v1.1.0"),
    "stop": ("workloads.stop_services", "v1.1.0"),
    "migrate": ("workloads.start_job", "v1.1.0"),
    "start": ("workloads.start_services", "v1.1.0"),
    "restore": ("database.swap", "v1.2.0"),
    "rollback": ("workloads.start_services", "v1.2.0"),
}


class Slow:
    """A run in a process of its own, with one call that hangs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[str] | None = None

    def begin(self, method: str, version: str) -> subprocess.Popen[str]:
        """Start it and wait until the call hangs."""
        process = self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.kills.slow", str(self.folder), method, version],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        hangs = self.folder / "hangs"
        within = Deadline(SystemClock(), 120, what=f"The run until {method}")
        within.poll(lambda: hangs.exists() or process.poll() is not None or None, every_s=0.05)
        assert hangs.exists(), process.communicate()
        return process

    def go(self) -> None:
        """Let the call return."""
        (self.folder / "go").touch()

    def read_run(self) -> Run:
        """The run as the journal has it."""
        with closing(Journal.open(self.folder / "project" / ".orchestrator")) as journal:
            (run,) = journal.runs()
            return run


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Slow]:
    made = Slow(tmp_path)
    yield made
    if made.process is not None:
        made.process.kill()
        made.process.communicate()


@pytest.mark.parametrize("state", HANGING)
def test_sigterm_leaves_in_any_state_even_where_a_call_hangs(slow: Slow, state: str) -> None:
    process = slow.begin(*HANGING[state])
    process.send_signal(signal.SIGTERM)
    out, said = process.communicate(timeout=LEAVES_WITHIN_S)
    assert process.returncode == LEFT
    assert "`orchestrator recover` ends" in said
    assert json.loads(out)["exit_code"] == LEFT
    assert slow.read_run().verdict is None


def test_ctrl_c_again_and_again_does_not_break_a_way_back_and_says_how_long_it_takes(slow: Slow) -> None:
    process = slow.begin("database.swap", "v1.2.0")
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        wait_a_moment()
    slow.go()
    out, said = process.communicate(timeout=60)
    assert process.returncode == 20
    assert said.count("restore cannot be interrupted safely: it goes on to its end, which takes 1h at most.") == 3
    assert json.loads(out)["verdict"] == "rolled_back"


def test_ctrl_c_takes_the_way_back_of_the_state(slow: Slow) -> None:
    process = slow.begin("workloads.stop_services", "v1.1.0")
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        wait_a_moment()
    slow.go()
    process.communicate(timeout=60)
    assert process.returncode == 20


def test_a_terminal_that_is_closed_ends_no_run(slow: Slow) -> None:
    process = slow.begin("workloads.stop_services", "v1.1.0")
    process.send_signal(signal.SIGHUP)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    slow.go()
    assert process.wait(timeout=60) == 0
    assert slow.read_run().verdict is Verdict.COMMITTED


def test_the_real_command_is_left_while_compose_hangs_and_its_run_is_ended_by_recover(project: Project) -> None:
    run = project.begin("run", "--force")
    project.await_asked()
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=LEAVES_WITHIN_S)
    assert run.returncode == LEFT
    recover = project.begin("recover")
    _, said = recover.communicate(timeout=60)
    assert recover.returncode == 10, said


def wait_a_moment() -> None:
    Deadline(SystemClock(), 60).pause(0.3)
