"""The in-memory database server and backup folder keep what their ports promise."""

from pathlib import Path

import pytest

from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import BackupError, DatabaseError
from orchestrator.core.model.stores import Session
from tests.tools.backups import FakeBackupStore
from tests.tools.build import make_ports, make_world
from tests.tools.database import FakeDatabase
from tests.tools.words import PROPERTIES
from tests.tools.workloads import FakeWorkloads
from tests.tools.world import FakeWorld


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    world = make_world(tmp_path)
    FakeWorkloads(world).stop_services(["app"], deadline=Deadline(world.clock, 60))
    return world


def back_up(world: FakeWorld) -> Path:
    deadline = Deadline(world.clock, 60)
    database = FakeDatabase(world)
    path, _, _ = FakeBackupStore(world).write(
        "one.sql.gz", lambda write: database.dump(write, deadline=deadline), report=lambda _: None
    )
    return path


def test_a_database_somebody_is_connected_to_is_not_copied(world: FakeWorld) -> None:
    database, deadline = FakeDatabase(world), Deadline(world.clock, 60)
    world.databases["ledger"].sessions.append(Session(pid=7, user="eve", application="psql"))
    with pytest.raises(DatabaseError) as refused:
        database.copy("ledger", "aside", deadline=deadline)
    assert refused.value.code == "database.in_use"
    assert database.terminate_sessions("ledger") == 1
    database.copy("ledger", "aside", deadline=deadline)
    assert database.rows("aside", deadline=deadline) == database.rows("ledger", deadline=deadline)


def test_a_swap_keeps_both_databases(world: FakeWorld) -> None:
    database = FakeDatabase(world)
    database.copy("ledger", "snapshot", deadline=Deadline(world.clock, 60))
    world.databases["ledger"].schema = "half"
    database.swap("ledger", "snapshot", "quarantine")
    assert {name: one.schema for name, one in world.databases.items()} == {"ledger": 1, "quarantine": "half"}


def test_a_backup_restores_to_the_same_database(world: FakeWorld) -> None:
    store, database, deadline = FakeBackupStore(world), FakeDatabase(world), Deadline(world.clock, 60)
    path = back_up(world)
    proof = store.prove(path, report=lambda _: None, deadline=deadline)
    assert proof.rows == database.rows("ledger", deadline=deadline)
    database.restore(store.read(path), "again", like=PROPERTIES, deadline=deadline)
    assert world.databases["again"] == world.databases["ledger"]


def test_a_cut_dump_leaves_no_database(world: FakeWorld) -> None:
    dump = b"".join(FakeBackupStore(world).read(back_up(world)))
    with pytest.raises(DatabaseError) as failed:
        FakeDatabase(world).restore([dump[:-5]], "again", like=PROPERTIES, deadline=Deadline(world.clock, 60))
    assert failed.value.code == "database.restore_failed"
    assert "again" not in world.databases


def test_every_flipped_byte_of_a_backups_content_is_found(world: FakeWorld) -> None:
    store, path = FakeBackupStore(world), back_up(world)
    for position in range(10, len(world.files[path])):
        store.flip(path, position)
        with pytest.raises(BackupError):
            store.prove(path, report=lambda _: None, deadline=Deadline(world.clock, 60))
        store.flip(path, position)
    store.truncate(path, 50)
    with pytest.raises(BackupError) as damaged:
        store.prove(path, report=lambda _: None, deadline=Deadline(world.clock, 60))
    assert damaged.value.code == "backup.damaged"


def test_a_dump_that_breaks_off_leaves_no_file(world: FakeWorld) -> None:
    world.fail("database.dump", DatabaseError("database.dump_failed", "The dump broke off."))
    with pytest.raises(DatabaseError):
        back_up(world)
    assert world.files == {}


def test_nothing_outside_the_folder_is_removed(world: FakeWorld) -> None:
    with pytest.raises(BackupError):
        FakeBackupStore(world).remove(Path("/etc/passwd"))


def test_all_ports_look_at_one_world(world: FakeWorld) -> None:
    ports = make_ports(world)
    world.pin = "v1.1.0"
    assert ports.workloads.read_pin() == "v1.1.0"
    assert make_ports(world, with_database=False).stores == ()
