"""A real backup, damaged in every way: none of it is proven, and none of it gets into a database."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

import docker
import pytest

from deploy.demo.images import ensure_base_images
from orchestrator.adapters.backups.archive import BackupFolder
from orchestrator.adapters.postgres.model import DatabaseProperties
from orchestrator.adapters.postgres.server import Postgres
from orchestrator.core.errors import BackupError, DatabaseError
from tests.engine.test_postgres import ROLES, TABLES, Server, allow, ignore
from tests.tools.damage import DAMAGES, FLIPS, Damage

pytestmark = pytest.mark.docker

BULK = """
SELECT lo_from_bytea(0, decode(repeat('00ff', 5000), 'hex'));
INSERT INTO public.entries SELECT n, md5(n::text) || ' it''s' FROM generate_series(1001, 15000) n;
"""
CHANGE = "UPDATE public.entries SET note = 'other' WHERE id = 1;"


@dataclass(frozen=True)
class Backup:
    """A proven backup of the database, the one of another run, and what the database's server has."""

    database: Postgres
    properties: DatabaseProperties
    folder: BackupFolder
    path: Path
    sha256: str
    other: Path
    databases: frozenset[str]


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backup]:
    image = ensure_base_images().postgres
    client = docker.from_env(timeout=60)
    server = Server(client, image)
    try:
        ready = ["pg_isready", "-q", "-h", "127.0.0.1"]
        allow(60).poll(lambda: server.executor.run(ready, deadline=allow(10)).exit_code == 0 or None, every_s=0.2)
        server.psql(ROLES)
        server.psql(TABLES + BULK, "app")
        database = Postgres(server.executor, None, "app")
        folder = BackupFolder(tmp_path_factory.mktemp("damage") / "backups")
        path, sha256, _ = folder.write("one.sql.gz", lambda w: database.dump(w, deadline=allow(60)), report=ignore)
        server.psql(CHANGE, "app")
        other, _, _ = folder.write("other.sql.gz", lambda w: database.dump(w, deadline=allow(60)), report=ignore)
        yield Backup(database, database.properties("app"), folder, path, sha256, other, frozenset(database.sizes()))
    finally:
        server.container.remove(force=True, v=True)
        client.close()


def test_the_whole_backup_is_proven_and_loads(backup: Backup) -> None:
    proof = backup.folder.prove(backup.path, report=ignore, deadline=allow(60))
    assert proof.sha256 == backup.sha256
    chunks = backup.folder.read(backup.path, sha256=backup.sha256)
    backup.database.restore(chunks, "restored", like=backup.properties, deadline=allow(60))
    assert backup.database.rows("restored", deadline=allow(60)) == proof.rows
    backup.database.drop("restored")


LONG = {f"bit-flip-of-seed-{seed}" for seed in range(30, FLIPS)}


# Every one of them is tried at every door of the product without a server; here the first flips stand for the rest.
@pytest.mark.parametrize(
    "damage",
    [pytest.param(one, marks=[pytest.mark.soak] if str(one) in LONG else [], id=str(one)) for one in DAMAGES],
)
def test_a_damaged_backup_is_not_proven_and_does_not_load(backup: Backup, tmp_path: Path, damage: Damage) -> None:
    damaged = tmp_path / backup.path.name
    copyfile(backup.path, damaged)
    damage.do(damaged, backup.other)
    if damage.sound:
        assert backup.folder.prove(damaged, report=ignore, deadline=allow(60)).sha256 != backup.sha256
    else:
        with pytest.raises(BackupError):
            backup.folder.prove(damaged, report=ignore, deadline=allow(60))
    with pytest.raises((BackupError, DatabaseError)):
        chunks = backup.folder.read(damaged, sha256=backup.sha256)
        backup.database.restore(chunks, "restored", like=backup.properties, deadline=allow(60))
    assert set(backup.database.sizes()) == backup.databases
