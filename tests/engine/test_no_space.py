"""Real file systems that are full: of the journal, of the backups, of PostgreSQL."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.demo.bed import Acknowledged, Bed, LedgerHost, Writer, missing, read_entries
from orchestrator.adapters.http.probe import HttpProbe
from orchestrator.core.errors import JournalError, RefusedError
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.journal.journal import Journal
from orchestrator.run.listener import Listener
from tests.engine.installation import Ended, Installation, leave_out, write_ledger_plan
from tests.engine.small_disk import MIB, SmallDisk, small_disk
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version
from tests.tools.build import announce_up_to

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

BEFORE_THE_STOP = ("check", "preflight", "confirm", "prefetch", "backup")
APP_DOWN = ("stop", "pull", "migrate", "start", "health")
COMMITTED = ("commit", "cleanup")
WAY_BACK = ("restore", "rollback")
DATA = "/var/lib/postgresql/data"
SMALL_VOLUME = """\
volumes:
  database:
    driver_opts: {{type: tmpfs, device: tmpfs, o: "size={mib}m"}}
"""


@dataclass(frozen=True)
class Told:
    """How a run ended, and what users were told meanwhile."""

    ended: Ended
    acknowledged: tuple[Acknowledged, ...]


class Filler(Listener):
    """Lets something happen as a state begins."""

    def __init__(self, happens: Callable[[str], object]) -> None:
        self._happens = happens
        self.path: list[str] = []

    def entered(self, state: str, kind: str) -> None:
        self.path.append(state)
        self._happens(state)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.users_write(9)
    return bench


@pytest.fixture(params=["tmpfs", pytest.param("ext4", marks=pytest.mark.soak)])
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

    told: JournalError | None = None
    try:
        ended = run(bench, take_everything, "v1.3.0")
    except JournalError as error:
        told = error
    if told is None:  # what the journal's log has taken before was room enough
        assert ended == (Verdict.ROLLED_BACK, 20)
    else:
        assert told.code in ("journal.end_not_written", "journal.no_space"), told.message()
        assert (told.exit_code, "orchestrator" in told.hint) == (70, True)
    assert serving_version(bench.world) == "v1.0.0"
    assert bench.world.lost() == []


def test_a_full_disk_refuses_the_run_and_says_how_much_is_needed(bench: Bench, disk: SmallDisk) -> None:
    disk.fill()
    with pytest.raises(RefusedError) as caught:
        run(bench, lambda _: None)
    assert (caught.value.code, caught.value.exit_code) == ("refused.no_space", 10)
    assert "1024 KiB are needed" in caught.value.summary
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


# --- the real engine, a real server


def read_plan(installation: Installation) -> dict[str, Any]:
    document = yaml.safe_load(installation.plan.read_text(encoding="utf-8"))
    leave_out(document, "rehearse")
    assert isinstance(document, dict)
    return document


def fill_before(installation: Installation, state: str, *command: str) -> None:
    """Let a step of the operator's own take the room just before a state of the way forward."""
    document = read_plan(installation)
    states = document["states"]
    back = states[state]["then"]["failed"]
    for other in states.values():
        ways = other.get("then", {})
        ways.update({outcome: "fill" for outcome, to in ways.items() if to == state})
    states["fill"] = {
        "kind": "command",
        "with": {"run": [*command], "changes": "nothing"},
        "then": {"done": state, "failed": back},
    }
    installation.plan.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def fill_command(folder: Path) -> tuple[str, ...]:
    return ("sh", "-c", f"dd if=/dev/zero of={folder}/filling bs=64k status=none; true")


def fill_database_command(host: LedgerHost, leave_mib: int) -> tuple[str, ...]:
    words = f"m=$(df -Pm {DATA} | tail -1 | tr -s ' ' | cut -d' ' -f4)"
    words += f"; dd if=/dev/zero of={DATA}/filling bs=1M count=$((m - {leave_mib})) status=none; true"
    return ("docker", "exec", str(host.container("db").name), "sh", "-c", words)


@pytest.fixture
def small_host(ledger_bed: Bed) -> Iterator[Callable[..., Installation]]:
    """A host whose folders are on small disks, or whose PostgreSQL is; all of it goes again."""
    with ExitStack() as ending:

        def build(*folders: str, data_mib: int | None = None) -> Installation:
            host = ledger_bed.host("1.0.0")
            if data_mib is not None:
                (host.folder / "docker-compose.override.yml").write_text(SMALL_VOLUME.format(mib=data_mib))
            for folder in folders:
                ending.enter_context(small_disk(host.folder / folder, "ext4", 8 * MIB))
            ending.callback(host.down)
            host.install()
            feed = ledger_bed.feed("1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0")
            return Installation(host, feed, write_ledger_plan(host, feed))

        yield build


def upgrade(installation: Installation, version: str = "v1.1.0") -> Told:
    host = installation.host
    with Writer(host.url) as writer:
        writer.await_acknowledged(20, 60)
        ended = installation.run("--force", "--retry", "--version", version, "--json")
        # PostgreSQL writes nothing on a full disk, whichever version serves.
        host.compose("exec", "--no-TTY", "db", "rm", "-f", f"{DATA}/filling")
        if ended.exit_code != 30:
            writer.await_acknowledged(20, 60)
    assert "Traceback" not in ended.said
    assert "internal error" not in ended.said
    return Told(ended, tuple(writer.acknowledged))


def find_lost(installation: Installation, told: Told) -> list[Acknowledged]:
    lost = missing(told.acknowledged, read_entries(installation.host.url))
    for name in told.ended.document["quarantine"]:  # type: ignore[attr-defined]
        rows = installation.host.psql("SELECT id, hash FROM entries", database=name).splitlines()
        lost = missing(lost, {int(row.split("|")[0]): row.split("|")[1] for row in rows})
    return lost


@pytest.mark.parametrize(
    ("state", "exit_code", "serves"),
    [
        ("migrate", 20, "1.0.0"),
        pytest.param("start", 20, "1.0.0", marks=pytest.mark.soak),
        pytest.param("commit", 0, "1.1.0", marks=pytest.mark.soak),
    ],
)
def test_a_full_disk_of_the_journal_on_a_real_engine(
    small_host: Callable[..., Installation], state: str, exit_code: int, serves: str
) -> None:
    installation = small_host(".orchestrator")
    fill_before(installation, state, *fill_command(installation.host.folder / ".orchestrator"))
    told = upgrade(installation)
    assert told.ended.exit_code == exit_code, told.ended.said
    assert read_version(installation) == serves
    assert find_lost(installation, told) == []


def test_a_full_backup_folder_refuses_and_leaves_what_was_in_it(small_host: Callable[..., Installation]) -> None:
    installation = small_host("backups")
    older = installation.host.folder / "backups" / "2020-01-01_000000_v0.9.0.sql.gz"
    older.write_bytes(b"older")
    fill_before(installation, "backup", *fill_command(older.parent))
    told = upgrade(installation)
    assert (told.ended.exit_code, told.ended.document["verdict"]) == (10, "refused"), told.ended.said
    assert "room" in told.ended.said
    assert older.read_bytes() == b"older"
    assert {path.name for path in older.parent.iterdir()} <= {older.name, "filling", "lost+found"}
    assert read_version(installation) == "1.0.0"


@pytest.mark.parametrize(
    ("version", "exit_code", "serves"),
    [pytest.param("v1.1.0", 0, "1.1.0", marks=pytest.mark.soak), ("v1.2.0", 20, "1.0.0")],
)
def test_where_no_copy_fits_beside_the_database_a_dump_takes_its_place(
    small_host: Callable[..., Installation], version: str, exit_code: int, serves: str
) -> None:
    installation = small_host(data_mib=500)
    fill_before(installation, "stop", *fill_database_command(installation.host, 50))
    told = upgrade(installation, version)
    assert told.ended.exit_code == exit_code, told.ended.said
    stop = next(line for line in told.ended.document["states"] if line["state"] == "stop")  # type: ignore[attr-defined]
    assert "a dump took its place" in stop["reason"]
    assert [path.name for path in installation.backups() if "_stopped" in path.name]
    assert read_version(installation) == serves
    assert find_lost(installation, told) == []


def test_a_server_that_runs_full_in_the_migration_is_told_with_a_runbook_or_brought_back(
    small_host: Callable[..., Installation],
) -> None:
    installation = small_host(data_mib=500)
    fill_before(installation, "migrate", *fill_database_command(installation.host, 0))
    told = upgrade(installation, "v1.2.0")
    assert told.ended.exit_code in (20, 30), told.ended.said
    backups = installation.backups()
    assert backups
    if told.ended.exit_code == 30:
        assert told.ended.document["next"]
        return
    assert read_version(installation) == "1.0.0"
    assert find_lost(installation, told) == []


def test_a_server_without_room_for_two_copies_refuses_with_both_sizes(
    small_host: Callable[..., Installation],
) -> None:
    installation = small_host(data_mib=200)
    told = upgrade(installation)
    assert (told.ended.exit_code, told.ended.document["verdict"]) == (10, "refused"), told.ended.said
    assert re.search(r"room for the database server: \d+ MiB needed, \d+ MiB free", told.ended.said)
    assert installation.backups() == []
    assert read_version(installation) == "1.0.0"


def read_version(installation: Installation) -> str:
    """What users are told."""
    status = HttpProbe().get(f"{installation.host.url}/api/version", timeout_s=5)
    return str(json.loads(status.body)["current"])
