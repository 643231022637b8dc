"""Of the processes that are started on one project, one works and the others say whose turn it is."""

from __future__ import annotations

import re
import signal
import subprocess

from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline
from tests.faults.kills.starting import Project, end_process, is_alive

TOGETHER = 20
BUSY = 75
REFUSED = 10
UNFINISHED = 30


def test_of_twenty_that_start_together_one_runs_and_the_others_name_it(project: Project) -> None:
    starters = [project.begin("run", "--force") for _ in range(TOGETHER)]
    project.await_asked()
    within = Deadline(SystemClock(), 120, what="The end of the others")
    owner = within.poll(lambda: find_the_last(starters), every_s=0.1)
    losers = [process for process in starters if process is not owner]
    said = [process.communicate()[1] for process in losers]
    assert {process.returncode for process in losers} == {BUSY}, said
    assert all(re.search(rf"Run r-\S+ \(process {owner.pid}, since [-0-9]+ [0-9:]+ UTC\)", text) for text in said), said
    project.let_answer()
    owner.communicate(timeout=60)
    assert owner.returncode == REFUSED


def find_the_last(starters: list[subprocess.Popen[str]]) -> subprocess.Popen[str] | None:
    at_work = [process for process in starters if process.poll() is None]
    return at_work[0] if len(at_work) == 1 else None


def test_a_holder_that_is_stopped_still_holds_the_lock(project: Project) -> None:
    holder = project.begin("run", "--force")
    project.await_asked()
    holder.send_signal(signal.SIGSTOP)
    try:
        second = project.begin("run", "--force")
        _, said = second.communicate(timeout=60)
        assert second.returncode == BUSY, said
        assert f"process {holder.pid}" in said
    finally:
        holder.send_signal(signal.SIGCONT)


def test_what_a_killed_holder_has_started_does_not_hold_the_lock(project: Project) -> None:
    holder = project.begin("run", "--force")
    child = project.await_asked()
    holder.kill()
    holder.wait()
    try:
        assert is_alive(child)
        second = project.begin("run", "--force")
        _, said = second.communicate(timeout=60)
        assert second.returncode == UNFINISHED, said
        assert "was cut off" in said
    finally:
        end_process(child)
