"""Runs the host's commands for the test bed: argv lists, a bounded time, their own words when they fail."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

SHOWN_CHARACTERS = 4000


class BedError(Exception):
    """The test bed has failed; the message says how."""


def run_command(
    argv: Sequence[str],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run `argv` and return its stdout; `environment` is added to ours.

    Raises `BedError` when it cannot be started, fails, or takes longer than `timeout_s`.
    """
    try:
        done = subprocess.run(
            list(argv),
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise BedError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise BedError(f"{' '.join(argv)} took longer than {timeout_s} s") from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout)[-SHOWN_CHARACTERS:].strip()
        raise BedError(f"{' '.join(argv)} ended with {done.returncode}:\n{words}")
    return done.stdout
