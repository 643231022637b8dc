"""A damaged backup is accepted at no door: not by the store, not by ``backups verify``, not on the way back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copytree, rmtree

import pytest
from click.testing import CliRunner, Result

from orchestrator.adapters.backups.archive import BackupFolder
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.adapters.postgres.store import PostgresStore
from orchestrator.cli import main
from orchestrator.cli.render import render_report
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import BackupError
from orchestrator.core.model.progress import Progress
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.core.store_facts import BackupManifest
from orchestrator.run.service import Service
from states.registry import KINDS
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version
from tests.tools.build import make_ports
from tests.tools.damage import DAMAGES, Damage
from tests.tools.database import FakeDatabase
from tests.tools.plain_dump import build_plain_dump

pytestmark = pytest.mark.slow

every_damage = pytest.mark.parametrize("damage", DAMAGES, ids=str)


class PlainDumps(FakeDatabase):
    """Its dumps are what the server's own tool writes; each holds other data than the one before."""

    dumps = 0

    def dump(self, write: Callable[[bytes], None], *, deadline: Deadline) -> None:
        self.dumps += 1
        write(build_plain_dump(seed=self.dumps))


@dataclass(frozen=True)
class Shelf:
    """Proven backups of two runs, and the plan that they belong to."""

    bench: Bench
    store: BackupFolder
    backup: BackupManifest
    other: BackupManifest

    def prove(self) -> bool:
        """Whether the store says of the file that it is the one that was proven."""
        proof = self.store.prove(self.backup.path, report=ignore, deadline=Deadline(SystemClock(), 60))
        return proof.sha256 == self.backup.sha256

    def verify(self, *arguments: str | Path) -> Result:
        """The command, as an operator calls it."""
        words = ["backups", "verify", *arguments, "--plan", self.bench.plan.source]
        return CliRunner().invoke(main, [str(word) for word in words])


def ignore(progress: Progress) -> None:
    del progress


def upgrade_twice(folder: Path) -> Shelf:
    bench = Bench(folder, WITHOUT_REHEARSAL)
    store = BackupFolder(bench.world.backup_directory)
    ports = replace(make_ports(bench.world), backups=store, stores=(PostgresStore(PlainDumps(bench.world)),))
    service = bench.service = Service(bench.plan, KINDS, ports)
    for version in ("v1.1.0", "v1.0.0"):
        bench.world.clock.advance(3600)
        request = ReleaseRequest(version=version, allow_downgrade=True)
        done = service.run(request, assume_yes=True, listener=bench.recorder)
        assert done.run.verdict is Verdict.COMMITTED
    bench.plan.source.write_text(bench.plan.text, encoding="utf-8")
    backup, other = service.records.receipts()
    return Shelf(bench, store, backup, other)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return upgrade_twice(tmp_path_factory.mktemp("shelf"))


@pytest.fixture
def shelf(kept: Shelf, tmp_path: Path) -> Iterator[Shelf]:
    """The shelf with both backups whole; whatever a test does to them is undone."""
    directory = kept.backup.path.parent
    copytree(directory, tmp_path / "whole")
    yield kept
    rmtree(directory)
    (tmp_path / "whole").rename(directory)


def test_whole_backups_are_accepted(shelf: Shelf) -> None:
    assert shelf.prove()
    assert [check.problem for check in shelf.bench.service.records.verify_backups(None, report=ignore)] == ["", ""]
    assert shelf.verify().exit_code == 0
    assert shelf.verify(shelf.backup.path).exit_code == 0


def test_one_damaged_backup_among_whole_ones_is_told_by_the_exit_code(shelf: Shelf) -> None:
    shelf.other.path.write_bytes(b"")
    done = shelf.verify()
    assert done.exit_code == 10
    assert [line[0] for line in done.stdout.splitlines()] == ["✓", "✗"]


@every_damage
def test_the_store_does_not_prove_it(shelf: Shelf, damage: Damage) -> None:
    damage.do(shelf.backup.path, shelf.other.path)
    if damage.sound:
        assert not shelf.prove()
    else:
        with pytest.raises(BackupError, match=shelf.backup.path.name):
            shelf.prove()
    with pytest.raises(BackupError, match=shelf.backup.path.name):
        list(shelf.store.read(shelf.backup.path, sha256=shelf.backup.sha256))


@every_damage
def test_verifying_reports_it(shelf: Shelf, damage: Damage) -> None:
    damage.do(shelf.backup.path, shelf.other.path)
    damaged, other = shelf.bench.service.records.verify_backups(None, report=ignore)
    assert damaged.receipt == shelf.backup
    assert damaged.problem
    assert other.problem == ""
    done = shelf.verify(shelf.backup.path)
    assert done.exit_code == 10
    assert f"✗ {shelf.backup.path.name}" in done.stdout


def test_a_link_to_another_proven_backup_is_not_taken_for_it(shelf: Shelf) -> None:
    shelf.backup.path.unlink()
    shelf.backup.path.symlink_to(shelf.other.path)
    done = shelf.verify(shelf.backup.path)
    assert done.exit_code == 10
    assert f"✗ {shelf.backup.path.name}" in done.stdout


def test_a_backup_is_found_by_another_way_to_its_folder(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "way").symlink_to(shelf.backup.path.parent)
    assert shelf.verify(tmp_path / "way" / shelf.backup.path.name).exit_code == 0
    monkeypatch.chdir(shelf.backup.path.parent)
    assert shelf.verify(shelf.backup.path.name).exit_code == 0


def test_the_way_back_does_not_use_what_was_swapped_in_after_it_was_proven(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    world = bench.world
    store = BackupFolder(world.backup_directory)
    bench.service = Service(bench.plan, KINDS, replace(make_ports(world), backups=store))

    def lose_the_snapshot() -> None:
        for name in [name for name in world.databases if "snapshot" in name]:
            del world.databases[name]

    def swap() -> None:
        path = bench.service.records.receipts()[0].path
        forged = b"".join(store.read(path)).replace(b"blue", b"grey")
        store.write("forged.sql.gz", lambda write: write(forged), report=ignore)[0].replace(path)

    world.happen("workloads.start_job", lose_the_snapshot)
    world.happen("database.restore", swap)
    assert bench.run("v1.2.0").run.verdict is Verdict.NEEDS_OPERATOR
    assert list(world.databases) == [world.live]


@every_damage
def test_the_way_back_does_not_use_it(tmp_path: Path, damage: Damage) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    world, store = bench.world, BackupFolder(bench.world.backup_directory)
    bench.service = Service(bench.plan, KINDS, replace(make_ports(world), backups=store))
    world.databases[world.live].tables[world.user_table] = [f"{n * 7919 % 1009} it's" for n in range(3000)]
    other, _, _ = store.write("other.sql.gz", lambda write: write(build_plain_dump(seed=0)), report=ignore)

    def lose_snapshot_and_damage() -> None:
        for name in [name for name in world.databases if "snapshot" in name]:
            del world.databases[name]
        (receipt,) = (path for path in other.parent.iterdir() if path != other)
        damage.do(receipt, other)

    world.happen("workloads.start_job", lose_snapshot_and_damage)
    report = bench.run("v1.2.0")
    assert report.run.verdict is Verdict.NEEDS_OPERATOR
    assert report.run.exit_code == 30
    (receipt,) = bench.service.records.receipts()
    assert report.stuck is not None
    assert report.stuck.state == bench.path()[-1] == "restore"
    assert str(receipt.path) in report.stuck.reason
    assert report.stuck.reason in render_report(report)
    assert list(world.databases) == [world.live]
    assert world.databases[world.live].schema == "between 2 and 3"
    assert serving_version(world) is None
    assert not {"database.restore", "database.swap", "database.drop"} & set(world.chain())
