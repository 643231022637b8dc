"""One run at a time per project."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.core.errors import BusyError
from orchestrator.journal.lock import project_lock


def test_a_second_holder_is_told_who_the_first_one_is(tmp_path: Path) -> None:
    with (
        project_lock(tmp_path, run_id="r-first"),
        pytest.raises(BusyError, match="r-first") as caught,
        project_lock(tmp_path, run_id="r-second"),
    ):
        pass
    assert caught.value.exit_code == 75


def test_who_was_killed_is_not_taken_for_the_holder(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with project_lock(tmp_path, run_id="r-first"):
        lock, ours = tmp_path / "lock", (tmp_path / "lock").read_text()
        lock.write_text(ours.replace("r-first", "r-gone").replace(str(os.getpid()), str(gone.pid)))
        threading.Timer(0.2, lambda: lock.write_text(ours)).start()
        with pytest.raises(BusyError, match="Run r-first"), project_lock(tmp_path, run_id="r-second"):
            pass


def test_the_lock_is_free_again_afterwards_and_its_file_stays(tmp_path: Path) -> None:
    for _ in range(2):
        with project_lock(tmp_path, run_id="r-1"):
            assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "lock").is_file()


def test_a_child_that_outlives_the_holder_does_not_hold_the_lock(tmp_path: Path) -> None:
    with project_lock(tmp_path, run_id="r-1"):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    try:
        with project_lock(tmp_path, run_id="r-2"):
            pass
    finally:
        child.communicate(b"\n", timeout=10)


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Exception, match="cannot be opened"), project_lock(tmp_path, run_id="r-1"):
        pass
    assert (tmp_path / "elsewhere").read_text() == "precious"
