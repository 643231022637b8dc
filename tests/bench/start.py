"""How long a start takes: beside a bare click program on the same interpreter, and a dry run as a whole.

    python -m tests.bench.start          # --help and --version
    python -m tests.bench.start PLAN     # run PLAN --dry-run, too

Programs are started in turns, so that what else the machine does is shared by all of them.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

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


def measure_start(plan: Path | None = None, rounds: int = ROUNDS) -> dict[str, float]:
    """Median of some rounds, in seconds, for each program; `BARE` is the yardstick."""
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


def _measure_in_turns(programs: Mapping[str, Sequence[str]], rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, argv in programs.items():
            began = time.perf_counter()
            subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def main(arguments: Sequence[str]) -> None:
    """Print a table: program, milliseconds, how many times the yardstick."""
    found = measure_start(Path(arguments[0]) if arguments else None)
    print(f"{'program':<14} {'ms':>8} {'× bare':>7}")
    for name, seconds in found.items():
        print(f"{name:<14} {seconds * 1e3:>8.1f} {seconds / found[BARE]:>7.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
