"""While a run is at work, a second one is told in which state the first one is, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.errors import BusyError
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.plan.standard import build_standard_states
from orchestrator.run.listener import Listener
from orchestrator.run.service import Service
from states.registry import KINDS
from tests.tools.bench import BACK, FORWARD, WITHOUT_REHEARSAL, Bench
from tests.tools.build import announce_up_to, make_ports


def test_each_state_is_tried() -> None:
    kinds = {name for name, state in build_standard_states().items() if isinstance(state, dict) and "kind" in state}
    assert {*FORWARD, *BACK, "rehearse"} == kinds


@pytest.mark.parametrize("state", [*FORWARD, *BACK])
def test_a_second_run_in_any_state_is_told_so_and_changes_nothing(tmp_path: Path, state: str) -> None:
    bench, told = Bench(tmp_path, WITHOUT_REHEARSAL), list[str]()

    class Another(Listener):
        def entered(self, entered: str, kind: str) -> None:
            if entered != state:
                return
            before = len(bench.world.calls)
            second = Service(bench.plan, KINDS, make_ports(bench.world))
            with pytest.raises(BusyError) as caught:
                second.run(ReleaseRequest(), assume_yes=True, listener=Listener())
            assert len(bench.world.calls) == before
            told.append(caught.value.summary)

    version = "v1.2.0" if state in BACK else "v1.1.0"
    announce_up_to(bench.world, version)
    report = bench.service.run(ReleaseRequest(version=version), assume_yes=True, listener=Another())
    (what,) = told
    assert f"Run {report.run.id} (process" in what
    assert f"{report.run.id} has been in {state} since" in what
