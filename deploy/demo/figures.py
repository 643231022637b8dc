"""Builds both images, and prints how large they are and how quickly they start: `make images`."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import requests

from .bed import LABEL, Bed, BedError, LedgerHost, build_orchestrator, run_command

RELEASE = "1.1.0"
RUNS = 5
START_TIMEOUT_S = 60
POLL_S = 0.01
MB = 1e6

_ROW = "{:<14}{:>9}{:>19}{:>8}{:>12}  {}"


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of one image. `added_bytes` is its size above the base image; `start_s` is a median, up to `started`."""

    name: str
    size_bytes: int
    added_bytes: int
    layers: int
    start_s: float
    started: str


def measure(bed: Bed, runs: int = RUNS) -> list[Figures]:
    """Build both images for this machine, and start each of them `runs` times; raises `BedError`."""
    app = bed.publish(RELEASE).reference
    host = bed.host(RELEASE)
    host.install()
    orchestrator = build_orchestrator(f"{bed.id}/orchestrator:{RELEASE}", bases=bed.bases, labels={LABEL: bed.id})
    ask = ["docker", "run", "--rm", "--network=none", orchestrator, "--version"]
    return [
        _describe(bed, "app", app, _median(runs, lambda: _start_app(host)), "first healthy answer"),
        _describe(bed, "orchestrator", orchestrator, _median(runs, lambda: _run(ask)), "end of --version"),
    ]


def build_table(figures: Sequence[Figures]) -> str:
    """Build the table for a terminal of 80 columns."""
    rows = [
        _ROW.format(
            one.name,
            f"{one.size_bytes / MB:.0f} MB",
            f"{one.added_bytes / MB:.0f} MB",
            one.layers,
            f"{one.start_s:.2f} s",
            one.started,
        )
        for one in figures
    ]
    return "\n".join(
        [_ROW.format("image", "size", "without the base", "layers", "cold start", "until").rstrip(), *rows]
    )


def main() -> int:
    """Measure, print, remove everything; 1 and a sentence when that fails."""
    try:
        with Bed("figures") as bed:
            print(build_table(measure(bed)))
    except BedError as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    return 0


def _describe(bed: Bed, name: str, reference: str, start_s: float, started: str) -> Figures:
    image = bed.client.images.get(reference)
    base = bed.client.images.get(bed.bases.python)
    size = image.attrs["Size"]
    return Figures(name, size, size - base.attrs["Size"], len(image.attrs["RootFS"]["Layers"]), start_s, started)


def _median(runs: int, start: Callable[[], float]) -> float:
    return statistics.median(start() for _ in range(runs))


def _start_app(host: LedgerHost) -> float:
    """Seconds from the start of its container to the first answer of a healthy app."""
    container = host.container("app")
    container.stop()
    began = time.monotonic()
    container.start()
    while not _healthy(f"{host.url}/api/health"):
        if time.monotonic() > began + START_TIMEOUT_S:
            raise BedError(f"the app was not healthy {START_TIMEOUT_S} s after its start")
        time.sleep(POLL_S)
    return time.monotonic() - began


def _healthy(url: str) -> bool:
    with suppress(requests.ConnectionError, requests.Timeout):
        return requests.get(url, timeout=START_TIMEOUT_S).ok
    return False


def _run(argv: Sequence[str]) -> float:
    began = time.monotonic()
    run_command(argv, timeout_s=START_TIMEOUT_S)
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
