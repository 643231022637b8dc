"""The files that a recovery reads are on the disk before a record needs them."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

from tests.tools.bench import Bench


def test_the_confirmed_plan_is_durable_before_the_run_is_opened(tmp_path: Path) -> None:
    bench, synced = Bench(tmp_path), []
    really = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        really(descriptor)

    bench.world.happen("workloads.freeze", lambda: synced.append("frozen"))
    with patch("os.fsync", watched):
        bench.run("v1.1.0")
    before = synced[: synced.index("frozen")]
    written = next(number for number, name in enumerate(before) if name.startswith(".plan.yaml."))
    assert any(name.startswith("r-") for name in before[written:])  # the folder in which it got its own name
