"""make soak: many upgrades and rollbacks in a row under load, most of them bad or cut off at a random moment.

    python -m tests.soak --minutes 90 --rounds 34 --rate 200 --seed 1 --kills 0.7

Each is followed by a look past the app and past the tool: it came to a named end, the version that serves is the one
of that end, every acknowledged entry is live or in a database that a report names, the data came back as it was,
nothing is left. The first thing that does not hold ends the soak. Exit 0: all of it held. Exit 1: what did not is
said. The seed chooses what is tried and what is done to it; what the world makes of that is new each time.
"""

import argparse
import os
import secrets
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import docker

from deploy.demo.bed import Bed, BedError
from deploy.demo.standing import Standing
from orchestrator.core.errors import OrchestratorError
from tests.soak.rounds import RELEASES
from tests.soak.soak import Soak
from tests.soak.table import build_blows, build_ends, build_table


def main(arguments: Sequence[str]) -> int:
    """Run the soak; the exit code."""
    wanted = _parse(arguments)
    return _remove(wanted.remove) if wanted.remove else _try(wanted)


def _try(wanted: argparse.Namespace) -> int:
    print(f"seed {wanted.seed}: {_tell_command(wanted)}", flush=True)
    ends_at = time.monotonic() + wanted.minutes * 60
    with Bed("soak") as bed:
        for version in RELEASES:
            bed.publish(version)
        soak = Soak(bed, wanted.rate)
        try:
            soak.run(wanted.seed, wanted.rounds, kills=wanted.kills, ends_at=ends_at)
        except (BedError, OrchestratorError, TimeoutError, OSError) as error:
            soak.broken.append(f"the soak could not go on: {error}")
        problems = _judge(soak, wanted)
        if problems and os.environ.get("KEEP"):
            Standing.of(bed, soak.host).write(bed.folder)
            bed.abandon()
            print(f"kept: {soak.host.folder}; `python -m tests.soak --remove {bed.folder}` takes it down")
    return 1 if problems else 0


def _remove(folder: Path) -> int:
    standing = Standing.read(folder)
    if standing is None:
        print(f"nothing is noted in {folder}")
        return 1
    with closing(docker.from_env()) as client:
        standing.take_down(client)
    return 0


def _judge(soak: Soak, wanted: argparse.Namespace) -> list[str]:
    print(f"\n{build_table(soak.ran)}\n\n{build_blows(soak.ran)}\n\n{build_ends(soak.ran)}\n")
    print(
        f"seed {wanted.seed}, {soak.rounds} of {wanted.rounds} rounds, {soak.written_per_s:.0f} writes/s while served"
    )
    problems = [f"{one.step.kind.value} to {one.step.release}: {text}" for one in soak.ran for text in one.problems]
    problems += soak.broken
    if soak.rounds == 0:
        problems.append("not one round was completed")
    for problem in problems:
        print(f"differs: {problem}")
    if problems:
        print(f"again with seed {wanted.seed}: {_tell_command(wanted)}")
    return problems


def _tell_command(wanted: argparse.Namespace) -> str:
    return (
        f"make soak MINUTES={wanted.minutes:g} ROUNDS={wanted.rounds} RATE={wanted.rate:g} SEED={wanted.seed}"
        f" KILLS={wanted.kills:g}"
    )


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Upgrade again and again under load.")
    parser.add_argument("--minutes", type=float, default=90.0, help="no round begins after this")
    parser.add_argument("--rounds", type=int, default=34, help="each is one good upgrade, two bad ones and a rollback")
    parser.add_argument("--rate", type=float, default=200.0, help="writes per second that are tried")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="decides the order and the kills")
    parser.add_argument("--kills", type=float, default=0.7, help="how many of the operations are disturbed, 0 to 1")
    parser.add_argument("--remove", type=Path, metavar="FOLDER", help="take down what KEEP=1 has left, and do no more")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
