"""Measure a start: beside a bare click program on the same interpreter, and a dry run as a whole."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROUNDS = 21
ORCHESTRATOR = str(Path(sys.executable).with_name("orchestrator"))
BARE = "bare click"

_BARE_PROGRAM = """
import sys
import click


@click.group()
def main() -> None:
    \"\"\"Say hello.\"\"\"


@main.command()
def hello() -> None:
    \"\"\"Say it.\"\"\"


sys.exit(main())
"""


class Taken(NamedTuple):
    """Cost of a start: seconds on the clock, and of the processor in its own process."""

    clock_s: float
    processor_s: float


def measure_start(plan: Path | None = None, rounds: int = ROUNDS) -> dict[str, Taken]:
    """Median of some rounds for each program; `BARE` is the yardstick."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(_BARE_PROGRAM, encoding="utf-8")
        programs = {
            BARE: [sys.executable, str(bare), "--help"],
            "--help": [ORCHESTRATOR, "--help"],
            "--version": [ORCHESTRATOR, "--version"],
            "run --help": [ORCHESTRATOR, "run", "--help"],
        }
        if plan is not None:
            programs["run --dry-run"] = [ORCHESTRATOR, "run", str(plan), "--dry-run"]
        return _measure_in_turns(programs, rounds)


def _measure_in_turns(programs: Mapping[str, Sequence[str]], rounds: int) -> dict[str, Taken]:
    taken: dict[str, list[Taken]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, argv in programs.items():
            taken[name].append(_start(argv))
    return {name: Taken(*map(statistics.median, zip(*found, strict=True))) for name, found in taken.items()}


def _start(argv: Sequence[str]) -> Taken:
    with Path(os.devnull).open("r+b") as nothing:
        began = time.perf_counter()
        process = subprocess.Popen(argv, stdin=nothing, stdout=nothing, stderr=nothing)
        _, status, used = os.wait4(process.pid, 0)
        ended = time.perf_counter()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv)
    return Taken(ended - began, used.ru_utime + used.ru_stime)


def main(arguments: Sequence[str]) -> None:
    """Print a table: program, milliseconds of clock and processor, each also as how many times the yardstick."""
    found = measure_start(Path(arguments[0]) if arguments else None)
    print(f"{'program':<14} {'clock ms':>9} {'× bare':>7} {'processor ms':>13} {'× bare':>7}")
    bare = found[BARE]
    for name, (clock_s, processor_s) in found.items():
        clock = f"{clock_s * 1e3:>9.1f} {clock_s / bare.clock_s:>7.2f}"
        print(f"{name:<14} {clock} {processor_s * 1e3:>13.1f} {processor_s / bare.processor_s:>7.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
