"""A run goes on where it began and nowhere else, whatever state it is in."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.core.errors import DatabaseError, PlatformError, UnfinishedRunError
from orchestrator.core.model.verdict import Verdict
from orchestrator.journal.journal import Journal
from orchestrator.machine.resume import Mode
from orchestrator.run.recovery import Takeover
from states.registry import KINDS
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, Recorder
from tests.tools.build import announce_up_to, make_ports

FORWARD = ("prefetch", "backup", "stop", "pull", "migrate", "start", "health", "commit", "cleanup")
BACK = ("restore", "rollback")


class Mover(Recorder):
    """Switches to another engine or another server as a state begins."""

    def __init__(self, bench: Bench, state: str, what: str) -> None:
        super().__init__()
        self.bench, self.state, self.what = bench, state, what
        self.calls: int | None = None

    def entered(self, state: str, kind: str) -> None:
        if state == self.state:
            setattr(self.bench.world, self.what, "another")
            self.calls = len(self.bench.world.calls)


@pytest.mark.parametrize("what", ["engine_id", "system_identifier"])
@pytest.mark.parametrize("state", [*FORWARD, *BACK])
def test_at_another_place_nothing_is_done_in_any_state(tmp_path: Path, state: str, what: str) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    version = "v1.2.0" if state in BACK else "v1.1.0"
    announce_up_to(bench.world, version)
    mover = bench.recorder = Mover(bench, state, what)
    with pytest.raises(UnfinishedRunError, match="another engine or database server") as caught:
        bench.run(version)
    assert caught.value.exit_code == 30
    assert len(bench.world.calls) == mover.calls
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        assert journal.find_unfinished() is not None


def test_back_at_its_place_the_run_comes_to_its_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.users_write(3)
    bench.recorder = Mover(bench, "migrate", "engine_id")
    with pytest.raises(UnfinishedRunError):
        bench.run("v1.1.0")
    bench.world.engine_id = "engine-1"
    way = Takeover(bench.plan, KINDS, make_ports(bench.world))
    report = way.take_up(Mode.RECOVER, announce=lambda *_: None, listener=Recorder())
    assert report is not None
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert bench.world.missing() == []


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("workloads.read_engine_id", PlatformError("engine.unreachable", "The engine does not answer.")),
        ("database.read_system_identifier", DatabaseError("database.unreachable", "The server does not answer.")),
    ],
)
def test_who_cannot_be_asked_is_not_somebody_else(tmp_path: Path, method: str, error: Exception) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.happen("images.pull", lambda: bench.world.fail(method, error, times=99))
    assert bench.run("v1.1.0").run.verdict is Verdict.COMMITTED
