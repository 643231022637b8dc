"""One suite for the real backup folder and its fake, so that the fake cannot lie."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.adapters.backups.archive import BackupFolder
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import BackupError
from orchestrator.core.model.progress import Progress
from orchestrator.core.ports.backups import BackupStore
from tests.tools.backups import FakeBackupStore
from tests.tools.build import make_world

DUMP = b"""--
-- PostgreSQL database dump
--

COPY public.entries (entry) FROM stdin;
one
two
\\.


--
-- PostgreSQL database dump complete
--

"""


def silent(_: Progress) -> None: ...


@pytest.fixture(params=["real", "fake"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BackupStore:
    if request.param == "fake":
        return FakeBackupStore(make_world(tmp_path))
    folder = tmp_path / "backups"
    folder.mkdir(mode=0o700)
    return BackupFolder(folder)


def deadline() -> Deadline:
    return Deadline(SystemClock(), 30)


def write(store: BackupStore, dump: bytes = DUMP, name: str = "one.sql.gz") -> tuple[Path, str, int]:
    def produce(take: Callable[[bytes], None]) -> None:
        for start in range(0, len(dump), 50):
            take(dump[start : start + 50])

    return store.write(name, produce, report=silent)


def test_what_was_written_is_proven_and_read_back(store: BackupStore) -> None:
    path, sha256, dump_bytes = write(store)
    proof = store.prove(path, report=silent, deadline=deadline())
    assert (proof.sha256, proof.dump_bytes) == (sha256, dump_bytes) == (sha256, len(DUMP))
    assert dict(proof.rows) == {"public.entries": 2}
    assert b"".join(store.read(path)) == DUMP


def test_a_dump_without_its_end_is_no_backup(store: BackupStore) -> None:
    path, _, _ = write(store, DUMP[:80])
    with pytest.raises(BackupError) as caught:
        store.prove(path, report=silent, deadline=deadline())
    assert caught.value.code == "backup.incomplete"


def test_another_file_than_the_one_that_is_meant_is_not_read_to_its_end(store: BackupStore) -> None:
    path, sha256, _ = write(store)
    other, _, _ = write(store, DUMP.replace(b"two", b"six"), name="other.sql.gz")
    assert b"".join(store.read(path, sha256=sha256)) == DUMP
    with pytest.raises(BackupError) as caught:
        b"".join(store.read(other, sha256=sha256))
    assert caught.value.code == "backup.damaged"


def test_a_backup_is_never_overwritten(store: BackupStore) -> None:
    path, _, _ = write(store)
    with pytest.raises(BackupError) as caught:
        write(store)
    assert caught.value.code == "backup.exists"
    assert b"".join(store.read(path)) == DUMP


def test_a_dump_that_fails_half_way_leaves_no_backup(store: BackupStore) -> None:
    def break_off(take: Callable[[bytes], None]) -> None:
        take(DUMP[:60])
        raise BackupError("backup.test", "The dump broke off.")

    with pytest.raises(BackupError, match="broke off"):
        store.write("one.sql.gz", break_off, report=silent)
    path, _, _ = write(store)
    assert store.prove(path, report=silent, deadline=deadline()).dump_bytes == len(DUMP)


def test_removing_is_for_files_of_the_folder_and_may_be_repeated(store: BackupStore) -> None:
    path, _, _ = write(store)
    store.remove(path)
    store.remove(path)
    with pytest.raises(BackupError) as caught:
        store.prove(path, report=silent, deadline=deadline())
    assert caught.value.code == "backup.missing"
    with pytest.raises(BackupError):
        store.remove(path.parent.parent / "elsewhere")
