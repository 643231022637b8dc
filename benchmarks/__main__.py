"""make bench: measure an upgrade beside its parts by themselves, on the real engine.

    python -m benchmarks --sizes 10 1000 --rounds 3                # everything, in hours
    python -m benchmarks --parts outage --sizes 10 --rounds 1      # one part, in minutes

Each part writes its figures to `.bench/PART.json` and replaces its own section of `BENCHMARKS.md`. Ratios are the
result: what is compared is measured in turns within a round, so that a busy machine slows all of it. It judges nothing:
exit 0 when everything was measured.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path

from benchmarks.backup_restore import measure_backup
from benchmarks.ground import Ground
from benchmarks.growth import measure_growth
from benchmarks.machine import inspect_machine, tell_taken
from benchmarks.outage import measure_outage
from benchmarks.overhead import measure_overhead
from benchmarks.progress import say
from benchmarks.quoted import measure_checker, measure_endpoint, measure_start
from benchmarks.report import Part, keep, put_into
from deploy.demo.bed import BedError
from tests.engine.installation import CHECKOUT

PARTS = ("outage", "backup", "overhead", "checker", "endpoint", "start", "growth")
IN_ROUNDS = ("outage", "backup", "overhead", "growth")
AXES = ("database", "services", "states", "runs")


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for; the exit code."""
    wanted = _parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # then, too, everything is removed
    try:
        with ExitStack() as stack:
            ground = cache(lambda: stack.enter_context(Ground()))
            measures = _build_measures(wanted, ground)
            for name in wanted.parts:
                machine = inspect_machine()
                say(f"{name}: load {machine['load']}")
                part = measures[name]()
                say(f"{name}: {keep(wanted.keep, part, machine)}")
                rounds = wanted.rounds if name in IN_ROUNDS else None
                put_into(wanted.report, part, tell_taken(machine, rounds))
    except BedError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; everything was taken down", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


def _build_measures(wanted: argparse.Namespace, ground: Callable[[], Ground]) -> Mapping[str, Callable[[], Part]]:
    return {
        "outage": lambda: measure_outage(ground(), wanted.sizes, wanted.rounds),
        "backup": lambda: measure_backup(ground(), wanted.sizes, wanted.rounds),
        "overhead": lambda: measure_overhead(ground(), wanted.sizes, wanted.rounds),
        "growth": lambda: measure_growth(ground(), wanted.growth, wanted.rounds, wanted.axes),
        "checker": measure_checker,
        "endpoint": partial(measure_endpoint, wanted.seconds),
        "start": lambda: measure_start(ground()),
    }


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument(
        "--sizes", nargs="+", type=int, default=[10, 1000], metavar="MB", help="databases; 8 is an empty one"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument(
        "--growth", nargs="+", type=int, default=[10, 100, 1000, 4000], metavar="MB", help="databases of growth"
    )
    parser.add_argument(
        "--axes", nargs="+", choices=AXES, default=AXES, metavar="AXIS", help=f"of growth: {', '.join(AXES)}"
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each load of the endpoint goes on")
    parser.add_argument("--keep", type=Path, default=CHECKOUT / ".bench", metavar="FOLDER", help="where the JSON goes")
    parser.add_argument(
        "--report", type=Path, default=CHECKOUT / "BENCHMARKS.md", metavar="FILE", help="where the tables go"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
