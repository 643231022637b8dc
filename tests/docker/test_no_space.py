"""Real file systems that are full: of the journal, of the backups, of PostgreSQL."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.errors import JournalError, RefusedError
from orchestrator.journal import Journal
from orchestrator.model import Progress, Verdict
from orchestrator.releases import ReleaseRequest
from tests.docker.small_disk import MIB, SmallDisk, small_disk
from tests.fakes.bench import Bench, serving_version
from tests.fakes.build import announce_up_to

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

BEFORE_THE_STOP = ("check", "preflight", "confirm", "prefetch", "backup")
APP_DOWN = ("stop", "pull", "migrate", "start", "health")
COMMITTED = ("commit", "cleanup")
WAY_BACK = ("restore", "rollback")


class Filler:
    """Lets something happen as a state begins."""

    def __init__(self, happens: Callable[[str], object]) -> None:
        self._happens = happens
        self.path: list[str] = []

    def entered(self, state: str, kind: str) -> None:
        self.path.append(state)
        self._happens(state)

    def progressed(self, state: str, progress: Progress) -> None: ...

    def left(self, state: str, outcome: str, reason: str, seconds: float) -> None: ...


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.world.users_write(9)
    return bench


@pytest.fixture(params=["tmpfs", "ext4"])
def disk(bench: Bench, request: pytest.FixtureRequest) -> Iterator[SmallDisk]:
    """Where the journal and the run's files are."""
    with small_disk(bench.plan.journal_directory, request.param, 4 * MIB) as disk:
        yield disk


def run(bench: Bench, happens: Callable[[str], object], version: str = "v1.1.0") -> tuple[Verdict | None, int | None]:
    announce_up_to(bench.world, version)
    bench.world.users_write(3)
    report = bench.service.run(ReleaseRequest(version=version), assume_yes=True, listener=Filler(happens))
    return report.run.verdict, report.run.exit_code


@pytest.mark.parametrize("state", [*BEFORE_THE_STOP, *APP_DOWN, *COMMITTED])
def test_a_disk_that_is_full_from_one_state_on_ends_the_upgrade_on_the_safe_side(
    bench: Bench, disk: SmallDisk, state: str
) -> None:
    ended = run(bench, lambda entered: disk.fill() if entered == state else None)
    kept = serving_version(bench.world)
    if state in COMMITTED:
        assert (ended, kept) == ((Verdict.COMMITTED, 0), "v1.1.0")
    elif state in BEFORE_THE_STOP:
        assert (ended, kept) == ((Verdict.REFUSED, 10), "v1.0.0")
    else:
        assert (ended, kept) == ((Verdict.ROLLED_BACK, 20), "v1.0.0")
    assert bench.world.missing() == []


@pytest.mark.parametrize("state", WAY_BACK)
def test_a_disk_that_is_full_on_the_way_back_does_not_stop_it(bench: Bench, disk: SmallDisk, state: str) -> None:
    ended = run(bench, lambda entered: disk.fill() if entered == state else None, "v1.3.0")
    assert (ended, serving_version(bench.world)) == ((Verdict.ROLLED_BACK, 20), "v1.0.0")
    assert bench.world.missing() == []


@pytest.mark.parametrize("state", ["stop", "migrate", "restore"])
def test_the_app_comes_back_even_where_somebody_takes_the_room_that_was_held(
    bench: Bench, disk: SmallDisk, state: str
) -> None:
    began: list[str] = []

    def take_everything(entered: str) -> None:
        began.extend([entered] if entered == state else [])
        if began:
            disk.fill()

    with pytest.raises(JournalError) as caught:
        run(bench, take_everything, "v1.3.0")
    assert caught.value.code in ("journal.end_not_written", "journal.no_space"), caught.value.story()
    assert caught.value.exit_code == 70
    assert "orchestrator" in caught.value.hint
    assert serving_version(bench.world) == "v1.0.0"
    assert bench.world.lost() == []


def test_a_full_disk_refuses_the_run_and_says_how_much_is_needed(bench: Bench, disk: SmallDisk) -> None:
    disk.fill()
    with pytest.raises(RefusedError) as caught:
        run(bench, lambda _: None)
    assert (caught.value.code, caught.value.exit_code) == ("refused.no_space", 10)
    assert "1024 KiB are needed" in caught.value.what
    assert bench.world.calls == []
    disk.empty()
    assert run(bench, lambda _: None) == (Verdict.COMMITTED, 0)


def test_a_run_that_had_to_go_back_for_want_of_room_is_told_in_full(bench: Bench, disk: SmallDisk) -> None:
    run(bench, lambda entered: disk.fill() if entered == "migrate" else None)
    disk.empty()
    with closing(Journal.open(disk.folder)) as journal:
        (told,) = journal.runs()
        left = [record.state for record in journal.records(told.id) if record.record == "left"]
    assert left[-2:] == ["restore", "rollback"]
    assert "full" in told.reason or "cannot be written" in told.reason
    assert run(bench, lambda _: None)[0] is not None
