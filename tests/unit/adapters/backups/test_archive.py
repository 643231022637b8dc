import errno
import gzip
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.adapters.backups.archive import BackupFolder
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import BackupError, DeadlineExceededError
from orchestrator.core.model.progress import Progress

DUMP = b"COPY public.a (id) FROM stdin;\n1\n2\n\\.\n--\n-- PostgreSQL database dump complete\n--\n"


class StillTimer:
    def monotonic(self) -> float:
        return 0.0

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.is_set()


def deadline(seconds: float = 60) -> Deadline:
    return Deadline(StillTimer(), seconds)


def ignore(progress: Progress) -> None:
    del progress


def producing(dump: bytes) -> Callable[[Callable[[bytes], None]], None]:
    return lambda write: write(dump)


@pytest.fixture
def folder(tmp_path: Path) -> BackupFolder:
    return BackupFolder(tmp_path / "backups")


def listing(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def write(folder: BackupFolder, dump: bytes = DUMP, name: str = "one.sql.gz") -> Path:
    return folder.write(name, producing(dump), report=ignore)[0]


def test_a_backup_is_private_readable_by_gzip_and_proven(folder: BackupFolder) -> None:
    path, sha256, dump_bytes = folder.write("one.sql.gz", producing(DUMP), report=ignore)
    proof = folder.prove(path, report=ignore, deadline=deadline())
    assert gzip.decompress(path.read_bytes()) == DUMP == b"".join(folder.read(path))
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest() == proof.sha256
    assert (proof.size_bytes, proof.dump_bytes, dict(proof.rows)) == (path.stat().st_size, dump_bytes, {"public.a": 2})
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert listing(path.parent) == ["one.sql.gz"]


def test_a_backup_that_decodes_to_much_more_than_its_size_is_proven(folder: BackupFolder) -> None:
    rows = 2_000_000
    path = write(folder, DUMP.replace(b"1\n2\n", b"same row\n" * rows))
    assert folder.prove(path, report=ignore, deadline=deadline()).rows == {"public.a": rows}


def test_an_existing_backup_is_never_replaced(folder: BackupFolder) -> None:
    path = write(folder)
    before = path.read_bytes()
    with pytest.raises(BackupError) as caught:
        write(folder, b"other")
    assert (caught.value.code, path.read_bytes()) == ("backup.exists", before)


def test_a_backup_that_appears_meanwhile_is_not_replaced(folder: BackupFolder, tmp_path: Path) -> None:
    rival = tmp_path / "backups" / "one.sql.gz"

    def appear(write: Callable[[bytes], None]) -> None:
        write(DUMP)
        rival.write_bytes(b"rival")

    with pytest.raises(BackupError) as caught:
        folder.write("one.sql.gz", appear, report=ignore)
    assert (caught.value.code, rival.read_bytes(), listing(rival.parent)) == (
        "backup.exists",
        b"rival",
        ["one.sql.gz"],
    )


def test_nothing_is_left_when_the_dump_fails(folder: BackupFolder, tmp_path: Path) -> None:
    def fail(write: Callable[[bytes], None]) -> None:
        write(DUMP)
        raise DeadlineExceededError("run.timeout", "too slow")

    with pytest.raises(DeadlineExceededError):
        folder.write("one.sql.gz", fail, report=ignore)
    assert listing(tmp_path / "backups") == []


def test_a_full_disk_is_said_and_leaves_nothing(
    folder: BackupFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("orchestrator.adapters.backups.archive.os.write", full)
    with pytest.raises(BackupError) as caught:
        write(folder)
    assert (caught.value.code, listing(tmp_path / "backups")) == ("backup.no_space", [])


def test_a_changed_byte_anywhere_is_damage(folder: BackupFolder) -> None:
    path = write(folder)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with pytest.raises(BackupError) as caught:
            folder.prove(path, report=ignore, deadline=deadline())
        assert caught.value.code == "backup.damaged", at


def test_a_file_cut_anywhere_is_damage(folder: BackupFolder) -> None:
    path = write(folder)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at])
        with pytest.raises(BackupError) as caught:
            folder.prove(path, report=ignore, deadline=deadline())
        assert caught.value.code == "backup.damaged", at


@pytest.mark.parametrize("more", [b"\0", gzip.compress(b"more")], ids=["a byte", "an archive"])
def test_anything_behind_the_archive_is_damage(folder: BackupFolder, more: bytes) -> None:
    path = write(folder)
    path.write_bytes(path.read_bytes() + more)
    with pytest.raises(BackupError) as caught:
        b"".join(folder.read(path))
    assert caught.value.code == "backup.damaged"


def test_a_cut_dump_in_a_sound_archive_is_incomplete(folder: BackupFolder) -> None:
    with pytest.raises(BackupError) as caught:
        folder.prove(write(folder, DUMP[:-30]), report=ignore, deadline=deadline())
    assert caught.value.code == "backup.incomplete"


def test_a_missing_file_and_a_link_are_no_backups(folder: BackupFolder) -> None:
    path = write(folder)
    link = path.with_name("link")
    link.symlink_to(path)
    for place, why in (
        (path.with_name("absent"), "cannot be read"),
        (link, "a symbolic link"),
        (path.parent, "a folder"),
    ):
        with pytest.raises(BackupError, match=why) as caught:
            folder.prove(place, report=ignore, deadline=deadline())
        assert caught.value.code == "backup.missing"


def test_proving_ends_at_its_deadline(folder: BackupFolder) -> None:
    with pytest.raises(DeadlineExceededError):
        folder.prove(write(folder), report=ignore, deadline=deadline(0))


def test_looking_at_the_folder_leaves_no_trace(folder: BackupFolder, tmp_path: Path) -> None:
    facts = folder.inspect_folder()
    assert (facts.problem, facts.free_bytes > 0, listing(tmp_path)) == ("", True, [])
    write(folder)
    assert folder.inspect_folder().problem == ""
    assert listing(tmp_path / "backups") == ["one.sql.gz"]


def test_a_folder_that_others_may_write_is_refused(folder: BackupFolder, tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups").chmod(0o777)
    assert "Others may write" in folder.inspect_folder().problem
    with pytest.raises(BackupError) as caught:
        write(folder)
    assert caught.value.code == "backup.not_writable"


def test_a_folder_that_is_a_link_is_refused(folder: BackupFolder, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "backups").symlink_to(tmp_path / "real")
    assert folder.inspect_folder().problem
    with pytest.raises(BackupError) as caught:
        write(folder)
    assert (caught.value.code, listing(tmp_path / "real")) == ("backup.not_writable", [])


def test_only_files_of_the_folder_are_removed(folder: BackupFolder, tmp_path: Path) -> None:
    path = write(folder)
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"x")
    for place in (foreign, path.parent / ".." / "foreign"):
        with pytest.raises(BackupError) as caught:
            folder.remove(place)
        assert caught.value.code in {"backup.outside", "backup.name"}
    path.with_name("link").symlink_to(foreign)
    folder.remove(path.with_name("link"))
    folder.remove(path)
    folder.remove(path)
    assert (foreign.exists(), listing(path.parent)) == (True, [])


def test_removal_includes_remains_of_a_killed_process(folder: BackupFolder, tmp_path: Path) -> None:
    path, _, _ = folder.write("one.sql.gz", lambda write: write(b"dump"), report=lambda _: None)
    (path.parent / ".two.sql.gz.0badf00d.partial").write_bytes(b"half a dump")
    (path.parent / ".one.sql.gz.0badf00d.partial").write_bytes(b"half a dump")
    folder.remove(path.with_name("two.sql.gz"))
    assert sorted(one.name for one in path.parent.iterdir()) == [".one.sql.gz.0badf00d.partial", "one.sql.gz"]
