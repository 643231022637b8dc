"""The migration's container: never beside what goes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.errors import PlatformError
from orchestrator.core.model.verdict import Verdict
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version


@pytest.mark.parametrize("method", ["workloads.start_job", "workloads.wait_job"])
def test_a_job_of_which_the_engine_does_not_tell_is_ended_before_anything_goes_back(
    tmp_path: Path, method: str
) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    lost = PlatformError("engine.refused", "The engine answers with an error.")
    bench.world.fail(method, lost, when="after" if method == "workloads.start_job" else "before")
    working: list[str] = []
    bench.world.happen("database.fence", lambda: working.extend(_find_working(bench)), times=9)
    assert bench.run("v1.1.0").run.verdict is Verdict.ROLLED_BACK
    assert working == []
    assert "workloads.stop_job" in bench.world.chain()
    assert serving_version(bench.world) == "v1.0.0"


def _find_working(bench: Bench) -> list[str]:
    return [job.name for job in bench.world.jobs.values() if job.running]
