"""make soak: many upgrades in a row under load, most of them bad; every acknowledged write must still be there.

    python -m tests.soak --minutes 30 --rounds 20 --rate 200 --seed 1

Each run is followed by a look past the app and past the tool: every acknowledged entry is live or in a database
that a report names, the data came back as it was, nothing is left. Exit 0: all of it held. Exit 1: what did not
is said.
"""

import argparse
import secrets
import sys
import time
from collections.abc import Sequence

from deploy.demo.bed import Bed, BedError
from tests.soak.rounds import RELEASES
from tests.soak.soak import Soak
from tests.soak.table import build_table


def main(arguments: Sequence[str]) -> int:
    """Run the soak; the exit code."""
    wanted = _parse(arguments)
    print(f"seed {wanted.seed}, at most {wanted.rounds} rounds in {wanted.minutes:g} minutes", flush=True)
    ends_at = time.monotonic() + wanted.minutes * 60
    with Bed("soak") as bed:
        for version in RELEASES:
            bed.publish(version)
        soak = Soak(bed, wanted.rate)
        try:
            soak.run(wanted.seed, wanted.rounds, ends_at=ends_at)
        except (BedError, TimeoutError, OSError) as error:
            soak.broken.append(f"the soak could not go on: {error}")
        return _judge(soak, wanted.rounds, wanted.seed)


def _judge(soak: Soak, rounds: int, seed: int) -> int:
    print(f"\n{build_table(soak.ran)}\n")
    print(f"seed {seed}, {soak.rounds} of {rounds} rounds, {soak.written_per_s:.0f} writes/s while the app served")
    problems = [f"{one.step.kind.value} to {one.step.release}: {text}" for one in soak.ran for text in one.problems]
    problems += soak.broken
    if soak.rounds == 0:
        problems.append("not one round was completed")
    for problem in problems:
        print(f"differs: {problem}")
    return 1 if problems else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Upgrade again and again under load.")
    parser.add_argument("--minutes", type=float, default=30.0, help="no round begins after this")
    parser.add_argument("--rounds", type=int, default=20, help="each is one good upgrade, two bad ones and a rollback")
    parser.add_argument("--rate", type=float, default=200.0, help="writes per second that are tried")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="decides the order")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
